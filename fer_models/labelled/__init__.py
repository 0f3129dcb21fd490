"""Faces that people have labelled: versions in the store, which ingest adds to the data."""
