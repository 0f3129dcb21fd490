"""Resuming a killed search from the state that Ray Tune left on disk."""

import json
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial as RayTrial

_LOGGER = logging.getLogger(__name__)


def restored_tuner(path: Path, trainable: Callable[..., Any]) -> tune.Tuner | None:
    """The search whose state is in `path`; None if there is no state or it is unreadable.

    An unreadable state, such as one truncated when its process was killed, is logged as a warning.
    """
    # A search that was killed before its first trial started left nothing to resume.
    if not tune.Tuner.can_restore(str(path)) or not any(path.glob("experiment_state-*")):
        return None
    try:
        # Ray itself would skip unreadable files and mention that in its own log only.
        require_readable(path)
        return tune.Tuner.restore(str(path), trainable, restart_errored=True)
    except Exception as error:  # noqa: BLE001 - a damaged pickle can raise anything
        _LOGGER.warning(
            "tuning: the saved state in %s is unreadable (%s: %s); the search starts over",
            path,
            type(error).__name__,
            error,
        )
        return None


def require_readable(path: Path) -> None:
    """Read every file of a state that Ray would read; damaged files raise any exception.

    Ray names some of its pickles `.json`. Hidden files were being written when it was killed.
    """
    for file in sorted(path.glob("[!.]*")):
        if file.name.startswith("experiment_state-"):
            for state, metadata in json.loads(file.read_text())["trial_data"]:
                # Stubs, because a new process has not registered the trainable yet.
                RayTrial.from_json_state(state, stub=True).restore_run_metadata(metadata)
        elif file.is_file() and "state" in file.name:
            with file.open("rb") as stream:
                pickle.load(stream)  # noqa: S301 - written by this program, in the user's cache
