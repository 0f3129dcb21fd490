"""Drift: the distance of a dataset from a reference snapshot."""
