"""The page of a campaign: a table and a chart of its experiments."""
