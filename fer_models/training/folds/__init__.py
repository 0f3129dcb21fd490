"""Out-of-fold predictions of a member: its folds, their networks, and what these predict."""
