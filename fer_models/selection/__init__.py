"""Active learning: the unlabelled faces that a model learns most from, and people's labels."""
