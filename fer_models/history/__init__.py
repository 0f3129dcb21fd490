"""What was done before: one record for each execution, and the comparison of two of them."""
