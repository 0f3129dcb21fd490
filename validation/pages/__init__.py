"""The HTML pages of the data gate."""
