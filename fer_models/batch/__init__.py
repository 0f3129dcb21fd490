"""Batch prediction: new pictures of a folder or bucket, predicted once and stored as parquet."""
