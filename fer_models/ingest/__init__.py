"""Ingest: from the sources that the user names to the first dataset snapshot."""
