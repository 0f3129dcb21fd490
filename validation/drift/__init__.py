"""Drift: the data compared with a reference snapshot."""
