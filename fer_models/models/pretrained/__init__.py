"""Weights that a training starts from: shipped, dlib's, from a folder, or published for timm."""
