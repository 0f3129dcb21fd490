"""Which kind of Prefect server a run uses."""

import os

TEMPORARY_VARIABLE = "FERFLOW_TEMPORARY_SERVER"
"""Set by `ferflow run` when it started a server that ends with it."""


def is_server_temporary() -> bool:
    """Whether the Prefect server ends with this process, so that people can't reach it."""
    from prefect.settings import PREFECT_API_URL

    return not PREFECT_API_URL.value() or TEMPORARY_VARIABLE in os.environ
