"""The search itself: trials on Ray Tune, restored when it was killed."""

import shutil
from pathlib import Path

import ray
from ray import tune

from fer_models.errors import TrainingError
from fer_models.training.config import MemberConfig
from fer_models.training.distributed.resources import worker_threads
from fer_models.training.inputs.data import TrainingData
from fer_models.training.runtime import training_threads
from fer_models.tuning.config import TuningConfig
from fer_models.tuning.outcome import Trial, outcome
from fer_models.tuning.progress_callback import ProgressCallback
from fer_models.tuning.restore import restored_tuner
from fer_models.tuning.schedulers.build import build_scheduler
from fer_models.tuning.space import Setting, draw_settings
from fer_models.tuning.trial import METRIC, run_trial
from fer_models.tuning.trial_workers import DRIVER_CPUS, trials_at_a_time

_NAME = "search"
# Times that a trial which was lost with its worker is run again.
_MAX_LOSSES = 2
# Of each trial of a population: the last one, and the one before, which a worse trial may still be
# about to go on from. Others write none.
_CHECKPOINTS_KEPT = 2


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
    trials, errors = outcome(results, settings, config)
    if not trials:
        shutil.rmtree(folder / _NAME, ignore_errors=True)
        reasons = [f"trial {number}: {text}" for number, text in sorted(errors.items())]
        raise TrainingError(
            f"tuning {member.name}: all {config.num_trials} trials failed; mend what they tell, "
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
    folder: Path,
) -> tune.Tuner:
    num_threads, resources = _share(config, member)
    parameters = tune.with_parameters(
        run_trial,
        settings=settings,
        member=member,
        data=(ray.put(data),),  # in a tuple: Ray refuses to put a mere reference
        seed=seed,
        max_epochs=config.max_epochs,
        num_threads=num_threads,
        exchange_epochs=config.exchange_epochs if config.scheduler == "pbt" else None,
    )
    trainable = tune.with_resources(parameters, resources)
    place = folder / _NAME
    if (tuner := restored_tuner(place, trainable)) is not None:
        return tuner
    shutil.rmtree(place, ignore_errors=True)
    progress = ProgressCallback(config.num_trials, config.max_epochs)
    return tune.Tuner(
        trainable,
        # Numbers of settings that were drawn before: nothing is left to Ray's own sampling.
        param_space={"trial": tune.grid_search(list(range(len(settings))))} if settings else {},
        tune_config=_tune_config(member, config, settings, seed),
        run_config=tune.RunConfig(
            name=_NAME,
            storage_path=str(folder),
            verbose=0,
            callbacks=[progress],
            checkpoint_config=tune.CheckpointConfig(num_to_keep=_CHECKPOINTS_KEPT),
            failure_config=tune.FailureConfig(max_failures=_MAX_LOSSES),
        ),
    )


def _share(config: TuningConfig, member: MemberConfig) -> tuple[int, dict[str, float]]:
    """Threads that a trial computes with, and what Ray sets aside for it (not for its workers)."""
    if member.training.workers > 1:
        return worker_threads(member), {"cpu": DRIVER_CPUS}
    resources = {"cpu": config.cpus_per_trial, "gpu": config.gpus_per_trial}
    return min(config.cpus_per_trial, training_threads()), resources


def _tune_config(
    member: MemberConfig, config: TuningConfig, settings: list[Setting], seed: int
) -> tune.TuneConfig:
    search, num_samples = None, 1
    if _proposes(config):
        from fer_models.tuning.optuna_search import optuna_search

        search = optuna_search(config.search_space, "best_accuracy", seed)
        num_samples = config.num_trials
    return tune.TuneConfig(
        metric=METRIC,
        mode="max",
        scheduler=build_scheduler(config, settings, seed),
        search_alg=search,
        num_samples=num_samples,
        # A population takes turns: all its trials are there from the beginning.
        max_concurrent_trials=None
        if config.scheduler == "pbt"
        else trials_at_a_time(member, config.max_concurrent_trials),
        reuse_actors=True,  # the imports of a trial take longer than the trial
    )


def _proposes(config: TuningConfig) -> bool:
    """Whether settings come one by one; Optuna has nothing to propose in an empty space."""
    return config.search == "optuna" and bool(config.search_space)


def _fit(tuner: tune.Tuner) -> tune.ResultGrid:
    try:
        return tuner.fit()
    except tune.TuneError as error:
        if isinstance(error.__cause__, TrainingError):
            raise error.__cause__ from None
        raise TrainingError(f"tuning: Ray Tune failed: {error.__cause__ or error}") from error
