"""Ingest: from the user's sources to the first dataset snapshot."""
