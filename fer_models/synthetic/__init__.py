"""Synthetic data: a seeded generator of parametric faces with planted defects."""
