"""How ferflow is operated: the command line, recipes, schedules and served deployments."""
