"""The promotion gate and the retraining decision."""
