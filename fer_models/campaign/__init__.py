"""Campaigns: many trainings by a plan, on machines that are lent for minutes, merged afterwards."""
