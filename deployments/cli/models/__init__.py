"""`ferflow models`: stored models, the champion and weight bundles."""
