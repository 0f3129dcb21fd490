"""The search itself: trials on Ray Tune, stopped early by ASHA."""

import tempfile
import time
from dataclasses import dataclass
from typing import Any

from ray import tune
from ray.tune import Callback
from ray.tune.schedulers import ASHAScheduler

from fer_models.errors import TrainingError
from fer_models.progress import report
from fer_models.training.config import MemberConfig
from fer_models.training.data import TrainingData
from fer_models.training.runtime import training_threads
from fer_models.tuning.config import TuningConfig
from fer_models.tuning.space import Setting

_METRIC = "validation_accuracy"
_SILENCE_LIMIT_S = 300.0


@dataclass(frozen=True)
class Trial:
    """What came of one setting: its best epoch, and how far it got."""

    trial: int
    setting: Setting
    epochs: int
    validation_accuracy: float
    validation_loss: float
    stopped_early: bool

    @property
    def score(self) -> tuple[float, float, int]:
        """Larger is better: accuracy, then lower loss, then the earlier trial."""
        return self.validation_accuracy, -self.validation_loss, -self.trial


class SearchFollower(Callback):
    """Collects what the trials report, in the process that asked for the search.

    Ray calls the hooks by keyword.
    """

    def __init__(self, num_trials: int, max_epochs: int) -> None:
        self.last: dict[int, dict[str, Any]] = {}
        self._finished = 0
        self._started_s = time.monotonic()
        self._num_trials = num_trials
        self._max_epochs = max_epochs

    def on_trial_result(  # type: ignore[override]
        self, *, trial: Any, result: dict[str, Any], **_: Any
    ) -> None:
        """An epoch of a trial ended."""
        self.last[trial.config["trial"]] = result
        if result["epoch"] < self._max_epochs:
            self._report(self._finished + result["epoch"] / self._max_epochs)

    def on_trial_complete(self, **_: Any) -> None:  # type: ignore[override]
        """A trial ran to its end or was stopped by ASHA."""
        self._finished += 1
        self._report(self._finished)

    def on_trial_error(self, *, trial: Any, **_: Any) -> None:  # type: ignore[override]
        """A trial failed: the others go on."""
        self.last.pop(trial.config["trial"], None)
        self._finished += 1
        self._report(self._finished)

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

    def _report(self, done: float) -> None:
        best = max((line["best_accuracy"] for line in self.last.values()), default=None)
        note = "no trial has finished an epoch" if best is None else f"best accuracy {best:.3f}"
        report("tune", done, self._num_trials, "trials", note=note)


def run_search(
    data: TrainingData,
    member: MemberConfig,
    settings: list[Setting],
    config: TuningConfig,
    seed: int,
) -> tuple[list[Trial], dict[int, str]]:
    """Try all settings on the Ray cluster that is connected.

    Returns:
        The trials that ended well, by number, and the reasons of those that failed.

    Raises:
        TrainingError: all trials failed.
    """
    follower = SearchFollower(len(settings), config.max_epochs)
    with tempfile.TemporaryDirectory(prefix="ferflow-tune-", ignore_cleanup_errors=True) as folder:
        tuner = _tuner(data, member, settings, config, seed, follower, folder)
        errors = _fit(tuner)
    trials = [
        Trial(
            trial=number,
            setting=settings[number],
            epochs=int(line["epoch"]),
            validation_accuracy=float(line["best_accuracy"]),
            validation_loss=float(line["best_loss"]),
            stopped_early=int(line["epoch"]) < config.max_epochs,
        )
        for number, line in sorted(follower.last.items())
    ]
    if not trials:
        reasons = [f"trial {number}: {text}" for number, text in sorted(errors.items())]
        raise TrainingError(
            f"tuning {member.name}: all {len(settings)} trials failed; mend what they tell, "
            "narrow tuning.search_space, or set tuning.enabled=false",
            reasons,
        )
    return trials, errors


def _tuner(
    data: TrainingData,
    member: MemberConfig,
    settings: list[Setting],
    config: TuningConfig,
    seed: int,
    follower: SearchFollower,
    folder: str,
) -> tune.Tuner:
    from fer_models.tuning.trial import run_trial

    trainable = tune.with_parameters(
        run_trial,
        settings=settings,
        member=member,
        data=data,
        seed=seed,
        max_epochs=config.max_epochs,
        num_threads=min(config.cpus_per_trial, training_threads()),
    )
    resources = {"cpu": config.cpus_per_trial, "gpu": config.gpus_per_trial}
    return tune.Tuner(
        tune.with_resources(trainable, resources),
        # Numbers of settings that were drawn before: nothing is left to Ray's own sampling.
        param_space={"trial": tune.grid_search(list(range(len(settings))))},
        tune_config=tune.TuneConfig(
            metric=_METRIC,
            mode="max",
            scheduler=_scheduler(config),
            max_concurrent_trials=config.max_concurrent_trials,
            reuse_actors=True,  # the imports of a trial take longer than the trial
        ),
        run_config=tune.RunConfig(
            name="search", storage_path=folder, verbose=0, callbacks=[follower]
        ),
    )


def _scheduler(config: TuningConfig) -> ASHAScheduler:
    return ASHAScheduler(
        time_attr="epoch",
        max_t=config.max_epochs,
        grace_period=min(config.grace_epochs, config.max_epochs),
        reduction_factor=config.reduction_factor,
    )


def _fit(tuner: tune.Tuner) -> dict[int, str]:
    """Run the search; the reasons of the trials that failed, by number."""
    try:
        results = tuner.fit()
    except tune.TuneError as error:
        if isinstance(error.__cause__, TrainingError):
            raise error.__cause__ from None
        raise TrainingError(f"tuning: Ray Tune failed: {error.__cause__ or error}") from error
    ended = [results[number] for number in range(len(results))]
    return {
        int(result.config["trial"]): _reason(result.error)
        for result in ended
        if result.error is not None and result.config is not None
    }


def _reason(error: Exception) -> str:
    """The last line of a trial's error: what was raised, without Ray's frames."""
    lines = [line for line in str(getattr(error, "cause", error)).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
