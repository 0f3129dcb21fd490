"""Training: one member, its stored artifact, and predictions of stored models."""
