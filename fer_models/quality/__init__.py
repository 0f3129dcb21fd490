"""Quality scores of images and labels, for cleaning and for review."""
