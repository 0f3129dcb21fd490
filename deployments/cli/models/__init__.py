"""`ferflow models`: networks, the champion and weight bundles."""
