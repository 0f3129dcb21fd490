"""Start Ray on this machine, or connect to a cluster; a busy machine gets more than one attempt."""

import logging
import os
import shlex
import sys
from typing import Any

from fer_models.cluster_address import cluster_address
from fer_models.errors import TrainingError
from fer_models.processes import num_cores
from fer_models.progress import warn
from fer_models.signals import own_sigterm_handler

_MIN_OBJECT_STORE_BYTES = 128 * 2**20
# Ray gives its own processes 30 seconds, which a busy machine exceeds.
_ATTEMPTS = 3
_BUSY = 2.0
"""Load average per core from which the load is named as a likely cause."""


def start_ray(num_cpus: int, object_bytes: int, folder: str | None) -> None:
    """Connect to the cluster of RAY_ADDRESS, or start a local one.

    Args:
        num_cpus: cores that a local cluster offers at least, even if the machine has fewer.
        object_bytes: size of the objects that will be put into its object store.
        folder: of a local cluster's files; None for Ray's own choice.

    Raises:
        TrainingError: Ray does not start, or can't be reached.
    """
    import ray

    address = cluster_address()
    options = {"address": address} if address else _local(num_cpus, object_bytes, folder)
    attempts = 1 if address else _ATTEMPTS
    for attempt in range(1, attempts + 1):
        try:
            with own_sigterm_handler():
                ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **options)
        except Exception as error:
            ray.shutdown()
            if attempt == attempts:
                raise TrainingError(_failure(address, error)) from error
            warn("ray", f"Ray did not start ({_one_line(error)}); attempt {attempt + 1}")
        else:
            return


def _local(num_cpus: int, object_bytes: int, folder: str | None) -> dict[str, Any]:
    return {
        "address": "local",
        "num_cpus": max(num_cores(), num_cpus),
        "include_dashboard": False,
        "object_store_memory": max(_MIN_OBJECT_STORE_BYTES, 2 * object_bytes),
        "_node_ip_address": "127.0.0.1",
        "_temp_dir": folder,
        "runtime_env": _worker_environment(),
    }


def _worker_environment() -> dict[str, str]:
    """Quote the interpreter's path: Ray 2.60 starts its workers through bash without quoting it."""
    quoted = shlex.quote(sys.executable)
    return {} if quoted == sys.executable else {"py_executable": quoted}


def _failure(address: str | None, error: Exception) -> str:
    load, cores = os.getloadavg()[0], num_cores()
    busy = (
        f"the machine is busy (load average {load:.1f} on {cores} cores): wait, or end other work; "
        if not address and load > _BUSY * cores
        else ""
    )
    where = address or f"this machine, in {_ATTEMPTS} attempts"
    return (
        f"Ray can't be used on {where}: {_one_line(error)}; "
        f"{busy}check RAY_ADDRESS, memory and free space in the temporary folder, or run without "
        "Ray: training.workers=1, tuning.enabled=false"
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
