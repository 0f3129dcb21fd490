"""`ferflow predict` and `ferflow submit`."""
