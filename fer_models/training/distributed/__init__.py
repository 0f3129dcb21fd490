"""Trainings whose batches are shared by several workers, on Ray Train."""
