"""Weights that ferflow ships, trained again."""
