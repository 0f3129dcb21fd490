"""Many image files decoded on all cores, in threads or in worker processes."""
