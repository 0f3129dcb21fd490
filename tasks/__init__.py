"""Thin Prefect tasks: retries, caching and artifacts around one library call each."""
