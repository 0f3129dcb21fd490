"""Layouts of images in files: which file says the split, label and face box of each image."""
