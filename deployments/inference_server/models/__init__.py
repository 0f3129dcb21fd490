"""What is served: the current model, its batches, heat maps and card."""
