"""Which trials continue: ASHA and population based training."""
