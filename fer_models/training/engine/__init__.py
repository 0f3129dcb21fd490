"""The training loop: Lightning module, callbacks, EMA, CUDA graphs and metrics."""
