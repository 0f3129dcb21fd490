"""Settings of augmentation, and of a training as a whole."""
