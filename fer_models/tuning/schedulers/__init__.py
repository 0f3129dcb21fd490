"""Schedulers: ASHA and population based training."""
