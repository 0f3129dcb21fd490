"""Results of the trials of a search."""

from dataclasses import dataclass
from typing import Any

from ray import tune

from fer_models.tuning.config import TuningConfig
from fer_models.tuning.space import Setting
from fer_models.tuning.trial import setting_of

_ACCURACY_DIGITS = 5


@dataclass(frozen=True)
class Trial:
    """Result of one trial: its best epoch, and how many epochs it ran.

    A trial of a population is judged by its last epoch and the setting it ended with.
    """

    trial: int
    setting: Setting
    epochs: int
    validation_accuracy: float
    validation_loss: float
    stopped_early: bool
    curve: tuple[float, ...] = ()
    """Validation accuracy by epoch."""
    schedule: tuple[dict[str, Any], ...] = ()
    """Settings of a population trial by time: `setting` from `epoch` on, and `copied_from`, the
    trial whose weights it copied then (None: it kept its own)."""

    @property
    def score(self) -> tuple[float, float, int]:
        """Higher is better: accuracy, then lower loss, then lower trial number."""
        return self.validation_accuracy, -self.validation_loss, -self.trial


def outcome(
    results: tune.ResultGrid, settings: list[Setting], config: TuningConfig
) -> tuple[list[Trial], dict[int, str]]:
    """The successful trials by number, and the reasons of the failed ones."""
    trials: list[Trial] = []
    errors: dict[int, str] = {}
    for result in (results[index] for index in range(len(results))):
        if result.config is None:
            continue
        number, metrics = int(result.config["trial"]), result.metrics or {}
        if result.error is not None:
            errors[number] = _reason(result.error)
        elif metrics.get("error") or "best_accuracy" not in metrics:
            errors[number] = metrics.get("error", "it reported no epoch")
        else:
            trials.append(_trial(number, setting_of(result.config, settings), metrics, config))
    return sorted(trials, key=lambda trial: trial.trial), errors


def _trial(number: int, setting: Setting, metrics: dict[str, Any], config: TuningConfig) -> Trial:
    return Trial(
        trial=number,
        setting=setting,
        epochs=int(metrics["epoch"]),
        validation_accuracy=float(metrics["best_accuracy"]),
        validation_loss=float(metrics["best_loss"]),
        stopped_early=int(metrics["epoch"]) < config.max_epochs,
        curve=tuple(round(accuracy, _ACCURACY_DIGITS) for accuracy in metrics.get("curve", ())),
        schedule=tuple(metrics.get("schedule", ())),
    )


def _reason(error: Exception) -> str:
    """The last line of a trial's error: the exception without Ray's stack frames."""
    lines = [line for line in str(getattr(error, "cause", error)).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
