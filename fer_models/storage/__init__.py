"""Where artifacts are kept: the store, its backends (folder, S3) and the model registry."""
