"""From stored images to batches: splits, sampling, augmentation, mixing, test-time views."""
