"""The Prefect flows, one per file: which tasks run, in which order."""
