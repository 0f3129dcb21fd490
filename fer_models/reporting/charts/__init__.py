"""Charts of the report; each function returns an inline SVG element."""
