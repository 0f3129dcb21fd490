"""Predict facial expressions in pictures, with weight bundles or stored models."""
