"""The Prefect server of `ferflow up` and `ferflow run`: its data, its process, who may use it."""
