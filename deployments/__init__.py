"""Operation of ferflow: the command line, recipes, schedules and served deployments."""
