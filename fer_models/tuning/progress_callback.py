"""Progress of a search, reported in the calling process; aborts a search that never starts."""

import time
from typing import Any

from ray.tune import Callback

from fer_models.errors import TrainingError
from fer_models.progress import report

_FIRST_EPOCH_TIMEOUT_S = 300.0
# Fields of a result that make up the curve, and the schedule of a population.
_HISTORY_FIELDS = ("epoch", "validation_accuracy", "setting", "copied_from")


class ProgressCallback(Callback):
    """Reports the progress of the trials; a restored search continues with its counts.

    Ray calls the hooks with keyword arguments.
    """

    def __init__(self, num_trials: int, max_epochs: int) -> None:
        self.last: dict[int, dict[str, Any]] = {}
        self._running: dict[int, int] = {}
        self._history: dict[int, dict[int, dict[str, Any]]] = {}
        self._finished = 0
        self._started_s = time.monotonic()
        self._num_trials = num_trials
        self._max_epochs = max_epochs

    def setup(self, **_: Any) -> None:  # type: ignore[override]
        """The search starts, or resumes in a new process."""
        self._started_s = time.monotonic()

    def get_state(self) -> dict[str, Any]:
        """The state that Ray saves with the search."""
        return {
            "last": self.last,
            "finished": self._finished,
            "running": self._running,
            "history": self._history,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the saved state."""
        self.last = dict(state["last"])
        self._finished = state["finished"]
        self._running = dict(state["running"])
        self._history = dict(state["history"])

    def on_trial_result(  # type: ignore[override]
        self, *, trial: Any, result: dict[str, Any], **_: Any
    ) -> None:
        """A trial finished an epoch, or reported why it failed.

        Adds the curve so far to the result, because Ray saves the result with the trial.
        """
        number = trial.config["trial"]
        if result.get("error"):
            self.last.pop(number, None)
            return
        by_epoch = self._history.setdefault(number, {})
        by_epoch[result["epoch"]] = {
            name: result[name] for name in _HISTORY_FIELDS if name in result
        }
        # A retried trial may report an epoch again: later ones belong to the lost attempt.
        history = [by_epoch[epoch] for epoch in sorted(by_epoch) if epoch <= result["epoch"]]
        result["curve"] = [entry["validation_accuracy"] for entry in history]
        if "setting" in result:
            result["schedule"] = _schedule(history)
        self.last[number] = result
        if result["epoch"] < self._max_epochs:
            self._running[number] = result["epoch"]
            self._report()

    def on_trial_complete(self, *, trial: Any, **_: Any) -> None:  # type: ignore[override]
        """A trial finished or was stopped by ASHA."""
        self._end(trial.config["trial"])

    def on_trial_error(self, *, trial: Any, **_: Any) -> None:  # type: ignore[override]
        """A trial failed for good; the others continue."""
        self.last.pop(trial.config["trial"], None)
        self._end(trial.config["trial"])

    def on_trial_recover(self, *, trial: Any, **_: Any) -> None:  # type: ignore[override]
        """A trial lost its worker, and Ray retries it."""
        self._report(f"trial {trial.config['trial']} lost its worker and is retried")

    def on_step_end(self, **_: Any) -> None:  # type: ignore[override]
        """Ray calls this continuously: abort if no trial ever finishes an epoch.

        Raises:
            TrainingError: no trial finished an epoch within the timeout.
        """
        waited_s = time.monotonic() - self._started_s
        if self.last or self._finished or waited_s < _FIRST_EPOCH_TIMEOUT_S:
            return
        raise TrainingError(
            f"tuning: no trial finished an epoch within {_FIRST_EPOCH_TIMEOUT_S:.0f} s; check "
            "Ray's logs (/tmp/ray/session_latest/logs), lower tuning.max_train_images, or set "
            "tuning.enabled=false"
        )

    def _end(self, number: int) -> None:
        self._running.pop(number, None)
        self._finished += 1
        self._report()

    def _report(self, note: str = "") -> None:
        done = self._finished + sum(self._running.values()) / self._max_epochs
        best = max((result["best_accuracy"] for result in self.last.values()), default=None)
        score = "no epoch finished yet" if best is None else f"best accuracy {best:.3f}"
        report("tune", done, self._num_trials, "trials", note=note or score)


def _schedule(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The epochs at which a trial of a population started with a new setting or new weights."""
    steps: list[dict[str, Any]] = []
    for entry in history:
        step = {name: entry[name] for name in ("epoch", "copied_from", "setting")}
        if not steps or step["copied_from"] is not None or step["setting"] != steps[-1]["setting"]:
            steps.append(step)
    return steps
