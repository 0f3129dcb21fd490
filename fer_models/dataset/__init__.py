"""Dataset snapshots: the stored table of images, how it is split, and which images are copies."""
