"""Dataset snapshots: the stored table of images, its splits, duplicates and image statistics."""
