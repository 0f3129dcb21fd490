"""Weights that a training starts from: shipped, from a folder, or published for timm."""
