"""Drift: how far recent images are from a champion's training data, without any label."""
