"""Plots and HTML pages: what all reports of the library share."""
