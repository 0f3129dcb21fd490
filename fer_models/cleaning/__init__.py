"""Cleaning: defective training images are quarantined, each with its reason; nothing is deleted."""
