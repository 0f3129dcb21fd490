"""What came of the trials of a search."""

from dataclasses import dataclass
from typing import Any

from ray import tune

from fer_models.tuning.config import TuningConfig
from fer_models.tuning.space import Setting
from fer_models.tuning.trial import setting_of

_ACCURACY_DIGITS = 5


@dataclass(frozen=True)
class Trial:
    """What came of one setting: its best epoch, and how far it got.

    A member of a population is told by its last epoch and the setting it ended with.
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
    """Of a member of a population: `epoch` from which on it had a `setting`, and the trial whose
    weights it went on from there (`copied_from`, None: its own)."""

    @property
    def score(self) -> tuple[float, float, int]:
        """Larger is better: accuracy, then lower loss, then the earlier trial."""
        return self.validation_accuracy, -self.validation_loss, -self.trial


def outcome(
    results: tune.ResultGrid, settings: list[Setting], config: TuningConfig
) -> tuple[list[Trial], dict[int, str]]:
    """The trials that ended well, by number, and the reasons of those that failed."""
    trials: list[Trial] = []
    errors: dict[int, str] = {}
    for result in (results[place] for place in range(len(results))):
        if result.config is None:
            continue
        number, line = int(result.config["trial"]), result.metrics or {}
        if result.error is not None:
            errors[number] = _reason(result.error)
        elif line.get("error") or "best_accuracy" not in line:
            errors[number] = line.get("error", "it told no epoch")
        else:
            trials.append(_trial(number, setting_of(result.config, settings), line, config))
    return sorted(trials, key=lambda trial: trial.trial), errors


def _trial(number: int, setting: Setting, line: dict[str, Any], config: TuningConfig) -> Trial:
    return Trial(
        trial=number,
        setting=setting,
        epochs=int(line["epoch"]),
        validation_accuracy=float(line["best_accuracy"]),
        validation_loss=float(line["best_loss"]),
        stopped_early=int(line["epoch"]) < config.max_epochs,
        curve=tuple(round(accuracy, _ACCURACY_DIGITS) for accuracy in line.get("curve", ())),
        schedule=tuple(line.get("schedule", ())),
    )


def _reason(error: Exception) -> str:
    """The last line of a trial's error: what was raised, without Ray's frames."""
    lines = [line for line in str(getattr(error, "cause", error)).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
