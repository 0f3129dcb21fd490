"""Public functions for tuning a member; Ray and torch are imported only when they run."""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from fer_models.progress import report
from fer_models.ray_cluster import Demand, ray_cluster
from fer_models.storage.json_bytes import json_bytes, json_key
from fer_models.storage.refs import SnapshotRef, TuningRef
from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep.present import Inputs
from fer_models.training.config import MemberConfig
from fer_models.training.inputs.native_input import with_native_input
from fer_models.tuning.config import TuningConfig

if TYPE_CHECKING:
    from fer_models.tuning.outcome import Trial


def tune_member(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    member: MemberConfig,
    config: TuningConfig,
    seed: int,
) -> TuningRef:
    """Search for the best setting of a member with short trainings.

    Trials train on a class-balanced sample of the training split and are compared by validation
    accuracy. With `max_concurrent_trials=1` the same seed gives the same result. A search that was
    killed resumes when it is called again; its finished trials are not repeated.

    Args:
        store: holds the snapshot, and receives the result.
        snapshot: a cleaned and split snapshot.
        member: the member to tune.
        config: space and budget of the search.
        seed: seed of all random draws.

    Raises:
        ConfigError: the space has unknown fields or invalid values, or a trial needs more cores or
            GPUs than the cluster has.
        DataError: the training or validation split is empty.
        TrainingError: Ray can't be started, or all trials failed.

    Example:
        tuning = tune_member(store, snapshot, member, TuningConfig(num_trials=8), seed=0)
        tuned = apply_tuning(store, member, tuning)
    """
    report("tune", 0, config.num_trials, "trials", note=f"{member.name}: starting Ray")
    from fer_models.dataset.snapshot import open_snapshot
    from fer_models.training.inputs.data import TrainingData, training_data
    from fer_models.training.inputs.sampling import balanced_subset
    from fer_models.tuning.schedulers.perturbation import check_population
    from fer_models.tuning.search_dir import search_dir
    from fer_models.tuning.space import check_space

    member = with_native_input(store, snapshot, member)
    check_space(member, config.search_space)
    if config.scheduler == "pbt":
        check_population(config, member.training.workers)
    everything = training_data(open_snapshot(store, snapshot))
    train = balanced_subset(everything.train, config.max_train_images, seed)
    started_s = time.perf_counter()
    with search_dir(snapshot, member, config, seed) as state:
        data = TrainingData(train, everything.validation)
        with ray_cluster(trial_demand(config, member, data.nbytes)):
            from fer_models.tuning.search import run_search

            trials, errors = run_search(data, member, config, seed, state.path)
        run_info = {
            "num_train_images": len(train),
            "failed": {str(number): reason for number, reason in sorted(errors.items())},
            "tune_seconds": time.perf_counter() - started_s,
        }
        Inputs(store, [snapshot], f"the search for settings of {member.name}").require()
        tuning = _write(store, snapshot, member, config, seed, trials, run_info)
        state.remove()
    return tuning


def trial_demand(config: TuningConfig, member: MemberConfig, object_bytes: int) -> Demand:
    """Resources of one trial, the least that the cluster must have."""
    if member.training.workers > 1:
        from fer_models.training.distributed.resources import worker_demand
        from fer_models.tuning.trial_workers import DRIVER_CPUS

        workers = worker_demand(member, object_bytes)
        return replace(workers, who=f"tuning: a trial with {workers.who}", more_cpus=DRIVER_CPUS)
    return Demand(
        who="tuning: a trial",
        remedy="lower tuning.cpus_per_trial or tuning.gpus_per_trial",
        pieces=1,
        cpus=config.cpus_per_trial,
        gpus=config.gpus_per_trial,
        object_bytes=object_bytes,
    )


def _write(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    member: MemberConfig,
    config: TuningConfig,
    seed: int,
    trials: "Sequence[Trial]",
    run_info: dict[str, Any],
) -> TuningRef:
    """Write trials and figures; the id hashes the inputs and the trials, not the timings."""
    from fer_models.tuning.charts import search_charts

    best = max(trials, key=lambda trial: trial.score)
    rows = [asdict(trial) for trial in trials]
    figures = search_charts(rows, config.search_space)
    files = {
        "trials.json": json_bytes(rows, allow_nan=True),
        "best.json": json_bytes(best.setting, allow_nan=True),
        **{figure.file: figure.png for figure in figures},
    }
    info = {
        "member": member.name,
        "snapshot_id": snapshot.id,
        "seed": seed,
        "num_trials": config.num_trials,
        "num_failed": len(run_info["failed"]),
        "best_trial": best.trial,
        "best_accuracy": best.validation_accuracy,
        "best_setting": best.setting,
        "plots": {figure.file: figure.title for figure in figures},
        **run_info,
    }
    tuning_id = _tuning_id(snapshot, member, config, seed, rows)
    return store.put(TuningRef, tuning_id, files, info)


def _tuning_id(
    snapshot: SnapshotRef,
    member: MemberConfig,
    config: TuningConfig,
    seed: int,
    rows: list[dict[str, Any]],
) -> str:
    content = {
        "trials": rows,
        "member": member.model_dump(mode="json"),
        "config": config.model_dump(mode="json"),
        "snapshot": snapshot.id,
        "seed": seed,
    }
    return json_key(content)


def apply_tuning(
    store: ArtifactStore, member: MemberConfig, tuning: TuningRef | None
) -> MemberConfig:
    """The member with the best setting of a search applied.

    The member is returned unchanged if `tuning` is None or tuned another member.

    Raises:
        ConfigError: the setting is not valid for the member.
        StoreError: the result of the search is absent or damaged.
    """
    if tuning is None or store.info(tuning)["member"] != member.name:
        return member
    from fer_models.tuning.space import apply_setting

    return apply_setting(member, store.read_json(tuning, "best.json"))
