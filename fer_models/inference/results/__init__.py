"""What becomes of predictions: tables, files, annotated pictures."""
