"""The criteria of the promotion gate, each a row with figure, limit and outcome."""
