"""Going on with a search that was killed, from the state that Ray Tune left on disk."""

import json
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial as RayTrial

_LOGGER = logging.getLogger(__name__)


def restored_tuner(place: Path, trainable: Callable[..., Any]) -> tune.Tuner | None:
    """The search whose state lies in `place`; None where there is none, or it can't be read.

    A state that was cut short with its process is told as a warning.
    """
    # A search that was killed before its first trial began left nothing to go on from.
    if not tune.Tuner.can_restore(str(place)) or not any(place.glob("experiment_state-*")):
        return None
    try:
        # Ray itself would leave out what it can't read, and say so in its own log only.
        require_readable(place)
        return tune.Tuner.restore(str(place), trainable, restart_errored=True)
    except Exception as error:  # noqa: BLE001 - damaged pickles raise whatever they like
        _LOGGER.warning(
            "the state of a search in %s can't be read (%s: %s): it starts from the beginning",
            place,
            type(error).__name__,
            error,
        )
        return None


def require_readable(place: Path) -> None:
    """Read all that Ray would read of a state; raises whatever damaged files raise.

    Ray names some of its pickles `.json`. Hidden files are those it was writing when it was killed.
    """
    for file in sorted(place.glob("[!.]*")):
        if file.name.startswith("experiment_state-"):
            for state, metadata in json.loads(file.read_text())["trial_data"]:
                # Stubs: in a new process Ray does not know the trainable yet.
                RayTrial.from_json_state(state, stub=True).restore_run_metadata(metadata)
        elif file.is_file() and "state" in file.name:
            with file.open("rb") as stream:
                pickle.load(stream)  # noqa: S301 - written by this program, in the user's cache
