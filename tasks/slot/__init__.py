"""One training at a time: the slot of a run, and its lease on a Prefect server."""
