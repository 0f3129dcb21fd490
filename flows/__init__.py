"""What runs, in which order: one Prefect flow a file."""
