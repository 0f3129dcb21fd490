"""The training loop: the Lightning module, its callbacks, and what is kept of every epoch."""
