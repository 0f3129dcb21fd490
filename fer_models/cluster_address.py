"""The address of the Ray cluster to use, and whether a head answers there."""

import os
import socket

from fer_models.errors import ConfigError

LOCAL_VARIABLE = "FERFLOW_LOCAL"
"""Environment variable that keeps all work in this process or on this machine if it is 1."""
_ADDRESS_VARIABLE = "RAY_ADDRESS"
_TIMEOUT_S = 3.0
_OWN_MACHINE = ("", "local")


def cluster_address() -> str | None:
    """The address in RAY_ADDRESS; None if there is none, or FERFLOW_LOCAL=1 says not to use it."""
    if os.environ.get(LOCAL_VARIABLE, "") not in ("", "0"):
        return None
    address = os.environ.get(_ADDRESS_VARIABLE, "").strip()
    return None if address in _OWN_MACHINE else address


def uses_cluster() -> bool:
    """Whether work is sent to the nodes of a Ray cluster."""
    return cluster_address() is not None


def check_cluster() -> None:
    """Reject a cluster that does not answer, before any work is done.

    Raises:
        ConfigError: see `require_answer`.
    """
    if (address := cluster_address()) is not None:
        require_answer(address)


def require_answer(address: str) -> None:
    """Reject an address at which nothing listens; Ray itself would retry for minutes.

    Args:
        address: `host:port` or `ray://host:port`; `auto` is left to Ray.

    Raises:
        ConfigError: nothing listens at the address, or it is malformed.
    """
    if address == "auto":
        return
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    remedy = (
        "start the cluster (ray start --head), correct RAY_ADDRESS, or set "
        f"{LOCAL_VARIABLE}=1 to run on this machine"
    )
    if not (separator and host and port.isdecimal()):
        raise ConfigError(f"RAY_ADDRESS: expected host:port, got {address!r}; {remedy}")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_TIMEOUT_S):
            return
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"RAY_ADDRESS={address}: expected a Ray cluster, got no answer ({error}); {remedy}"
        ) from error
