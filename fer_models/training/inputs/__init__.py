"""From stored images to batches: splits, sampling, augmentation, mixing and TTA views."""
