"""Training of one member, its artifact, and predictions of stored models."""
