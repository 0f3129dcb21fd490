"""Exploration: what a dataset looks like, before and after cleaning, in figures and pictures."""
