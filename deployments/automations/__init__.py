"""Automations of the Prefect server: crashed runs, retraining on events, notifications."""
