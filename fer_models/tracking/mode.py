"""Where tracked runs go: by the configuration, else WANDB_MODE, else by whether a key exists."""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from fer_models.errors import ConfigError
from fer_models.tracking.config import TrackingConfig
from fer_models.tracking.credentials import key_source, server_host, wandb_settings

Target = Literal["offline", "online", "disabled"]
_Wanted = Literal["", "offline", "online", "disabled"]
MODE_VARIABLE = "WANDB_MODE"
_MEANINGS: dict[str, _Wanted] = {
    "online": "online",
    "run": "online",
    "shared": "online",
    "offline": "offline",
    "dryrun": "offline",
    "disabled": "disabled",
}


@dataclass(frozen=True)
class Destination:
    """Where runs go, and why."""

    target: Target
    reason: str
    problem: str = ""
    """Why what was asked for is not possible, and what to do; the target is then `offline`."""


def destination(config: TrackingConfig) -> Destination:
    """Where runs go: by `tracking.mode`, else `WANDB_MODE`, else online if there is a key.

    Example:
        destination(TrackingConfig()).target  # "offline" on a machine without a key
    """
    wanted, asked_by = _asked(config)
    if wanted == "" and asked_by:
        return Destination("offline", asked_by, _unknown_mode(asked_by))
    if wanted == "disabled":
        return Destination("disabled", asked_by)
    if importlib.util.find_spec("wandb") is None:
        problem = _without_wandb(asked_by) if wanted else ""
        return Destination("disabled", "wandb is not installed", problem)
    if wanted == "offline":
        return Destination("offline", asked_by)
    source = key_source()
    if source:
        return Destination(
            "online", f"{asked_by}, key of {source}" if wanted else f"key of {source}"
        )
    if wanted == "online":
        return Destination("offline", "no key", _without_key(asked_by))
    return Destination("offline", "no key")


@contextmanager
def without_unknown_mode() -> Iterator[None]:
    """Hide a WANDB_MODE that wandb would refuse, in this block; where runs go is known by then."""
    stated = os.environ.get(MODE_VARIABLE)
    if stated is None or stated in _MEANINGS:
        yield
        return
    del os.environ[MODE_VARIABLE]
    try:
        yield
    finally:
        os.environ[MODE_VARIABLE] = stated


def check_tracking(config: TrackingConfig) -> None:
    """Check that runs can go where they are asked to go.

    Raises:
        ConfigError: they can't.
    """
    if problem := destination(config).problem:
        raise ConfigError(problem)


def _asked(config: TrackingConfig) -> tuple[_Wanted, str]:
    """What was asked for, and by which setting; "" if nothing, or nothing known, was."""
    if config.mode != "auto":
        return config.mode, f"tracking.mode={config.mode}"
    stated = os.environ.get(MODE_VARIABLE, "").strip()
    if stated:
        return _MEANINGS.get(stated.lower(), ""), f"{MODE_VARIABLE}={stated}"
    own = wandb_settings().get("mode", "")
    meaning = _MEANINGS.get(own.lower(), "")
    return meaning, f"mode={own} in wandb's settings" if meaning else ""


def _without_key(asked_by: str) -> str:
    return (
        f"{asked_by}: no key for {server_host()} found (WANDB_API_KEY, the netrc file, wandb's "
        "settings); run `wandb login`, set WANDB_API_KEY, or set tracking.mode=offline and upload "
        "later with `wandb sync`"
    )


def _without_wandb(asked_by: str) -> str:
    return f"{asked_by}: wandb is not installed; install it, or set tracking.mode=disabled"


def _unknown_mode(asked_by: str) -> str:
    return (
        f"{asked_by}: expected {', '.join(_MEANINGS)}; correct the variable, or set tracking.mode"
    )
