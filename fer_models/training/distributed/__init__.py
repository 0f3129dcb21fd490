"""Data-parallel training on several Ray Train workers."""
