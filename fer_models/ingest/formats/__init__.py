"""Readers of the source formats: one module a format, each returning a `SourceTable`."""
