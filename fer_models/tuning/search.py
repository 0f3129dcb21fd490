"""The search: trials on Ray Tune, resumed if a previous one was killed."""

import shutil
from pathlib import Path

import ray
from ray import tune
from ray.air._internal import usage

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
from fer_models.tuning.trial_workers import DRIVER_CPUS, max_parallel_trials

_NAME = "search"
# Retries of a trial that lost its worker.
_MAX_RETRIES = 2
# Checkpoints per trial of a population: the last one, and the one before, which a worse trial may
# still be about to copy. Other trials write none.
_CHECKPOINTS_KEPT = 2


def run_search(
    data: TrainingData,
    member: MemberConfig,
    config: TuningConfig,
    seed: int,
    folder: Path,
) -> tuple[list[Trial], dict[int, str]]:
    """Run all trials on the connected Ray cluster, or the remaining ones of a killed search.

    Args:
        data: training and validation images.
        member: the member to tune.
        config: space and budget of the search.
        seed: seed of all random draws.
        folder: holds the state of the search; a killed search resumes from it.

    Returns:
        The successful trials by number, and the reasons of the failed ones.

    Raises:
        TrainingError: all trials failed.
    """
    settings: list[Setting] = []
    if not _uses_optuna(config):
        settings = draw_settings(config.search_space, config.num_trials, seed)
    results = _fit(_tuner(data, member, settings, config, seed, folder))
    trials, errors = outcome(results, settings, config)
    if not trials:
        shutil.rmtree(folder / _NAME, ignore_errors=True)
        reasons = [f"trial {number}: {text}" for number, text in sorted(errors.items())]
        raise TrainingError(
            f"tuning {member.name}: all {config.num_trials} trials failed; fix the causes "
            "below, narrow tuning.search_space, or set tuning.enabled=false",
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
    num_threads, resources = _trial_resources(config, member)
    parameters = tune.with_parameters(
        run_trial,
        settings=settings,
        member=member,
        data=(ray.put(data),),  # in a tuple, because Ray rejects a bare reference
        seed=seed,
        max_epochs=config.max_epochs,
        num_threads=num_threads,
        exchange_epochs=config.exchange_epochs if config.scheduler == "pbt" else None,
    )
    trainable = tune.with_resources(parameters, resources)
    state = folder / _NAME
    if (tuner := restored_tuner(state, trainable)) is not None:
        return tuner
    shutil.rmtree(state, ignore_errors=True)
    progress = ProgressCallback(config.num_trials, config.max_epochs)
    return tune.Tuner(
        trainable,
        # Trial numbers, because the settings are already drawn: Ray samples nothing itself.
        param_space={"trial": tune.grid_search(list(range(len(settings))))} if settings else {},
        tune_config=_tune_config(member, config, settings, seed),
        run_config=tune.RunConfig(
            name=_NAME,
            storage_path=str(folder),
            verbose=0,
            callbacks=[progress],
            checkpoint_config=tune.CheckpointConfig(num_to_keep=_CHECKPOINTS_KEPT),
            failure_config=tune.FailureConfig(max_failures=_MAX_RETRIES),
        ),
    )


def _trial_resources(config: TuningConfig, member: MemberConfig) -> tuple[int, dict[str, float]]:
    """Threads of a trial, and the resources that Ray reserves for it (not for its workers)."""
    if member.training.workers > 1:
        return worker_threads(member), {"cpu": DRIVER_CPUS}
    resources = {"cpu": config.cpus_per_trial, "gpu": config.gpus_per_trial}
    return min(config.cpus_per_trial, training_threads()), resources


def _tune_config(
    member: MemberConfig, config: TuningConfig, settings: list[Setting], seed: int
) -> tune.TuneConfig:
    search, num_samples = None, 1
    if _uses_optuna(config):
        from fer_models.tuning.optuna_search import optuna_search

        search = optuna_search(config.search_space, "best_accuracy", seed)
        num_samples = config.num_trials
    return tune.TuneConfig(
        metric=METRIC,
        mode="max",
        scheduler=build_scheduler(config, settings, seed),
        search_alg=search,
        num_samples=num_samples,
        # All trials of a population exist from the start; its scheduler limits how many run.
        max_concurrent_trials=None
        if config.scheduler == "pbt"
        else max_parallel_trials(member, config.max_concurrent_trials),
        reuse_actors=True,  # importing torch in a new process takes longer than a short trial
    )


def _uses_optuna(config: TuningConfig) -> bool:
    """Whether Optuna proposes the settings; it can't search an empty space."""
    return config.search == "optuna" and bool(config.search_space)


def _fit(tuner: tune.Tuner) -> tune.ResultGrid:
    # Ray counts kinds of callbacks for its telemetry, and imports wandb for that. Its temporary
    # folders would be left by every search that is killed.
    usage.tag_callbacks = _count_no_callbacks
    try:
        return tuner.fit()
    except tune.TuneError as error:
        if isinstance(error.__cause__, TrainingError):
            raise error.__cause__ from None
        raise TrainingError(f"tuning: Ray Tune failed: {error.__cause__ or error}") from error


def _count_no_callbacks(callbacks: list[tune.Callback] | None) -> bool:
    del callbacks
    return False
