"""Prefect artifacts of the tasks: tables, links and Markdown."""
