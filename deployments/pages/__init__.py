"""The page server: artifacts of one store in the browser, read-only."""
