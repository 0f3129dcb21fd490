"""Faces and their expressions in videos, tracked and smoothed over time."""
