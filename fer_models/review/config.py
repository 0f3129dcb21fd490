"""Defaults of the review page; imports nothing, so that the command line can show them fast."""

DEFAULT_LIMIT = 500
"""Kept training images to offer, those with the lowest label quality first."""
