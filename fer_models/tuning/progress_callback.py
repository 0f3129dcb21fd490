"""Follows a search in the process that asked for it: progress, and a way out of silence."""

import time
from typing import Any

from ray.tune import Callback

from fer_models.errors import TrainingError
from fer_models.progress import report

_SILENCE_LIMIT_S = 300.0
# What a curve and the schedule of a population are made of.
_KEPT = ("epoch", "validation_accuracy", "setting", "copied_from")


class ProgressCallback(Callback):
    """Tells what the trials report; a restored search goes on with the counts it had.

    Ray calls the hooks by keyword.
    """

    def __init__(self, num_trials: int, max_epochs: int) -> None:
        self.last: dict[int, dict[str, Any]] = {}
        self._running: dict[int, int] = {}
        self._lines: dict[int, dict[int, dict[str, Any]]] = {}
        self._finished = 0
        self._started_s = time.monotonic()
        self._num_trials = num_trials
        self._max_epochs = max_epochs

    def setup(self, **_: Any) -> None:  # type: ignore[override]
        """The search starts, or goes on in another process than the one that made this object."""
        self._started_s = time.monotonic()

    def get_state(self) -> dict[str, Any]:
        """What Ray keeps for a search that is restored."""
        return {
            "last": self.last,
            "finished": self._finished,
            "running": self._running,
            "lines": self._lines,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what was kept."""
        self.last = dict(state["last"])
        self._finished = state["finished"]
        self._running = dict(state["running"])
        self._lines = dict(state["lines"])

    def on_trial_result(  # type: ignore[override]
        self, *, trial: Any, result: dict[str, Any], **_: Any
    ) -> None:
        """An epoch of a trial ended, or the trial tells why it failed.

        The curve up to here is put into the result: Ray keeps that with the trial.
        """
        number = trial.config["trial"]
        if result.get("error"):
            self.last.pop(number, None)
            return
        lines = self._lines.setdefault(number, {})
        lines[result["epoch"]] = {name: result[name] for name in _KEPT if name in result}
        told = [lines[epoch] for epoch in sorted(lines) if epoch <= result["epoch"]]
        result["curve"] = [line["validation_accuracy"] for line in told]
        if "setting" in result:
            result["schedule"] = _schedule(told)
        self.last[number] = result
        if result["epoch"] < self._max_epochs:
            self._running[number] = result["epoch"]
            self._report()

    def on_trial_complete(self, *, trial: Any, **_: Any) -> None:  # type: ignore[override]
        """A trial ran to its end or was stopped by ASHA."""
        self._end(trial.config["trial"])

    def on_trial_error(self, *, trial: Any, **_: Any) -> None:  # type: ignore[override]
        """A trial was lost: the others go on."""
        self.last.pop(trial.config["trial"], None)
        self._end(trial.config["trial"])

    def on_trial_recover(self, *, trial: Any, **_: Any) -> None:  # type: ignore[override]
        """A trial was lost with its worker, and Ray runs it again."""
        self._report(f"trial {trial.config['trial']} was lost with its worker and runs again")

    def on_step_end(self, **_: Any) -> None:  # type: ignore[override]
        """Runs all the time: give up when no worker ever comes to life.

        Raises:
            TrainingError: nothing was heard of any trial for minutes.
        """
        waited_s = time.monotonic() - self._started_s
        if self.last or self._finished or waited_s < _SILENCE_LIMIT_S:
            return
        raise TrainingError(
            f"tuning: no trial has finished an epoch within {_SILENCE_LIMIT_S:.0f} s; look into "
            "Ray's logs (/tmp/ray/session_latest/logs), lower tuning.max_train_images, or set "
            "tuning.enabled=false"
        )

    def _end(self, number: int) -> None:
        self._running.pop(number, None)
        self._finished += 1
        self._report()

    def _report(self, news: str = "") -> None:
        done = self._finished + sum(self._running.values()) / self._max_epochs
        best = max((line["best_accuracy"] for line in self.last.values()), default=None)
        score = "no trial has finished an epoch" if best is None else f"best accuracy {best:.3f}"
        report("tune", done, self._num_trials, "trials", note=news or score)


def _schedule(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The epochs at which a trial of a population began with another setting, or other weights."""
    steps: list[dict[str, Any]] = []
    for line in lines:
        step = {name: line[name] for name in ("epoch", "copied_from", "setting")}
        if not steps or step["copied_from"] is not None or step["setting"] != steps[-1]["setting"]:
            steps.append(step)
    return steps
