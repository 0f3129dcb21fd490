"""`ferflow task`: the steps of the pipeline as single commands."""
