"""Label Studio: tasks with predictions for it, and its annotations as decisions."""
