"""The checks of the data gate by topic, and custom expectations from a file."""
