"""What Prefect shows about a task: tables, links and Markdown."""
