"""Images in: sources, snapshots, cleaning and splitting."""
