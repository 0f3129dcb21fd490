"""`ferflow task`: the steps of the pipeline, one at a time."""
