"""The search itself: trials on Ray Tune, restored when it was killed."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ray import tune
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler

from fer_models.errors import TrainingError
from fer_models.training.config import MemberConfig
from fer_models.training.data import TrainingData
from fer_models.training.runtime import training_threads
from fer_models.tuning.config import TuningConfig
from fer_models.tuning.follower import SearchFollower
from fer_models.tuning.space import Setting, draw_settings
from fer_models.tuning.trial import run_trial, setting_of

_METRIC = "validation_accuracy"
_NAME = "search"
# Times that a trial which was lost with its worker is run again.
_MAX_LOSSES = 2


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


def run_search(
    data: TrainingData,
    member: MemberConfig,
    config: TuningConfig,
    seed: int,
    folder: Path,
) -> tuple[list[Trial], dict[int, str]]:
    """Try all settings on the Ray cluster that is connected, or those that are left.

    Args:
        data: images to train and to validate on.
        member: what is tuned.
        config: space and budget of the search.
        seed: start of every random draw.
        folder: keeps the state of the search; one that was killed goes on from it.

    Returns:
        The trials that ended well, by number, and the reasons of those that failed.

    Raises:
        TrainingError: all trials failed.
    """
    settings: list[Setting] = []
    if not _proposes(config):
        settings = draw_settings(config.search_space, config.num_trials, seed)
    results = _fit(_tuner(data, member, settings, config, seed, folder))
    trials, errors = _outcome(results, settings, config)
    if not trials:
        shutil.rmtree(folder / _NAME, ignore_errors=True)
        reasons = [f"trial {number}: {text}" for number, text in sorted(errors.items())]
        raise TrainingError(
            f"tuning {member.name}: all {config.num_trials} trials failed; mend what they tell, "
            "narrow tuning.search_space, or set tuning.enabled=false",
            reasons,
        )
    return trials, errors


def _outcome(
    results: tune.ResultGrid, settings: list[Setting], config: TuningConfig
) -> tuple[list[Trial], dict[int, str]]:
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
            trials.append(
                Trial(
                    trial=number,
                    setting=setting_of(result.config, settings),
                    epochs=int(line["epoch"]),
                    validation_accuracy=float(line["best_accuracy"]),
                    validation_loss=float(line["best_loss"]),
                    stopped_early=int(line["epoch"]) < config.max_epochs,
                )
            )
    return sorted(trials, key=lambda trial: trial.trial), errors


def _tuner(
    data: TrainingData,
    member: MemberConfig,
    settings: list[Setting],
    config: TuningConfig,
    seed: int,
    folder: Path,
) -> tune.Tuner:
    parameters = tune.with_parameters(
        run_trial,
        settings=settings,
        member=member,
        data=data,
        seed=seed,
        max_epochs=config.max_epochs,
        num_threads=min(config.cpus_per_trial, training_threads()),
    )
    resources = {"cpu": config.cpus_per_trial, "gpu": config.gpus_per_trial}
    trainable = tune.with_resources(parameters, resources)
    place = folder / _NAME
    # A search that was killed before its first trial began left nothing to go on from.
    if tune.Tuner.can_restore(str(place)) and any(place.glob("experiment_state-*")):
        return tune.Tuner.restore(str(place), trainable, restart_errored=True)
    shutil.rmtree(place, ignore_errors=True)
    follower = SearchFollower(config.num_trials, config.max_epochs)
    return tune.Tuner(
        trainable,
        # Numbers of settings that were drawn before: nothing is left to Ray's own sampling.
        param_space={"trial": tune.grid_search(list(range(len(settings))))} if settings else {},
        tune_config=_tune_config(config, seed),
        run_config=tune.RunConfig(
            name=_NAME,
            storage_path=str(folder),
            verbose=0,
            callbacks=[follower],
            failure_config=tune.FailureConfig(max_failures=_MAX_LOSSES),
        ),
    )


def _tune_config(config: TuningConfig, seed: int) -> tune.TuneConfig:
    search, num_samples = None, 1
    if _proposes(config):
        from fer_models.tuning.optuna_search import optuna_search

        search = optuna_search(config.search_space, "best_accuracy", seed)
        num_samples = config.num_trials
    return tune.TuneConfig(
        metric=_METRIC,
        mode="max",
        scheduler=_scheduler(config),
        search_alg=search,
        num_samples=num_samples,
        max_concurrent_trials=config.max_concurrent_trials,
        reuse_actors=True,  # the imports of a trial take longer than the trial
    )


def _proposes(config: TuningConfig) -> bool:
    """Whether settings come one by one; Optuna has nothing to propose in an empty space."""
    return config.search == "optuna" and bool(config.search_space)


def _scheduler(config: TuningConfig) -> TrialScheduler:
    if config.scheduler == "none":
        fifo: Any = FIFOScheduler
        return cast("TrialScheduler", fifo())
    return ASHAScheduler(
        time_attr="epoch",
        max_t=config.max_epochs,
        grace_period=min(config.grace_epochs, config.max_epochs),
        reduction_factor=config.reduction_factor,
    )


def _fit(tuner: tune.Tuner) -> tune.ResultGrid:
    try:
        return tuner.fit()
    except tune.TuneError as error:
        if isinstance(error.__cause__, TrainingError):
            raise error.__cause__ from None
        raise TrainingError(f"tuning: Ray Tune failed: {error.__cause__ or error}") from error


def _reason(error: Exception) -> str:
    """The last line of a trial's error: what was raised, without Ray's frames."""
    lines = [line for line in str(getattr(error, "cause", error)).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
