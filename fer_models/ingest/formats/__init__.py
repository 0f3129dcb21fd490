"""Readers of the source formats: one module a format, all giving a `SourceTable`."""
