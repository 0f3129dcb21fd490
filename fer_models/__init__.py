"""The ferflow library: data, models, training, evaluation, ensembling and storage.

It knows nothing of Prefect, so it also runs where only torch, timm, lightning and pandas are.
Importing it does nothing: no folder is made, no environment is read, no heavy package is loaded.
"""
