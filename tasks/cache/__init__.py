"""The cache of task results: what a cache key consists of, and where results are stored."""
