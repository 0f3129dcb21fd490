"""Ensembles of trained models, and selection of the promotion candidate."""
