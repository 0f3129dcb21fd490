"""Evaluation of trained models: metrics and stored predictions."""
