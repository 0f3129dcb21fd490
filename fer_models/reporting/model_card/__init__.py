"""The model card: what a model is for, what it was made from, how well it works."""
