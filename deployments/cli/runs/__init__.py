"""`ferflow runs`: the history of executions: listed, shown, compared, opened."""
