"""The ferflow library: data, models, training, evaluation, ensembling and storage.

It does not depend on Prefect, so it also runs where only torch, timm, lightning and pandas are
installed. Importing it has no side effects: it creates no folder, reads no environment variable and
loads no heavy package.
"""
