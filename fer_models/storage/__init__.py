"""Artifact storage: the store, its backends (folder, S3) and the model registry."""
