"""Networks by name: our own and timm's, their settings, weights and summaries."""
