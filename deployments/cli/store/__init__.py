"""`ferflow store`: care of an artifact store."""
