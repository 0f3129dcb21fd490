"""Plots shared by all pages: inline SVG in the colours of the page, and PNG files."""
