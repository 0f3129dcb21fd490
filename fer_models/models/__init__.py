"""The networks by name, and what their settings are."""
