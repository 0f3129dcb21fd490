"""Exploration: statistics, plots and sample faces of a dataset, before and after cleaning."""
