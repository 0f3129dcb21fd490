"""The cache of task results: what makes a key, and where results are kept."""
