"""Search a member's settings: the door to this package; Ray and torch are loaded behind it."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from fer_models.progress import report
from fer_models.ray_cluster import Demand, ray_cluster
from fer_models.storage.refs import SnapshotRef, TuningRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
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
    """Try settings of a member in short trainings and write down which was best.

    Trials train on a class-balanced part of the training split and are compared by validation
    accuracy. With `max_concurrent_trials=1` the same seed gives the same outcome. A search that was
    killed goes on when it is called again: its finished trials are not run anew.

    Args:
        store: where the snapshot lies and the outcome goes.
        snapshot: cleaned and split images.
        member: what is tuned.
        config: space and budget of the search.
        seed: start of every random draw.

    Raises:
        ConfigError: the space names unknown fields or values, or a trial asks for more cores or
            GPUs than there are.
        DataError: no images to train or to validate on.
        TrainingError: Ray can't be started, or every trial failed.
    """
    report("tune", 0, config.num_trials, "trials", note=f"{member.name}: starting Ray")
    from fer_models.dataset.snapshot import open_snapshot
    from fer_models.training.inputs.data import TrainingData, training_data
    from fer_models.training.inputs.sampling import balanced_subset
    from fer_models.tuning.schedulers.perturbation import check_population
    from fer_models.tuning.search_dir import search_dir
    from fer_models.tuning.space import check_space

    check_space(member, config.search_space)
    if config.scheduler == "pbt":
        check_population(config, member.training.workers)
    everything = training_data(open_snapshot(store, snapshot))
    train = balanced_subset(everything.train, config.max_train_images, seed)
    started_s = time.perf_counter()
    with search_dir(snapshot, member, config, seed) as work:
        data = TrainingData(train, everything.validation)
        with ray_cluster(trial_demand(config, member, data.nbytes)):
            from fer_models.tuning.search import run_search

            trials, errors = run_search(data, member, config, seed, work.path)
        told = {
            "num_train_images": len(train),
            "failed": {str(number): reason for number, reason in sorted(errors.items())},
            "tune_seconds": time.perf_counter() - started_s,
        }
        tuning = _write(store, snapshot, member, config, seed, trials, told)
        work.remove()
    return tuning


def trial_demand(config: TuningConfig, member: MemberConfig, object_bytes: int) -> Demand:
    """One trial must find room; more at a time run when there is room for them."""
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
    told: dict[str, Any],
) -> TuningRef:
    """Write the outcome and its plots; the id is taken over inputs and trials, not over timings."""
    from fer_models.tuning.charts import search_charts

    best = max(trials, key=lambda trial: trial.score)
    rows = [asdict(trial) for trial in trials]
    plots = search_charts(rows, config.search_space)
    content = {
        "trials": rows,
        "member": member.model_dump(mode="json"),
        "config": config.model_dump(mode="json"),
        "snapshot": snapshot.id,
        "seed": seed,
    }
    tuning_id = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]
    files = {"trials.json": _json_bytes(rows), "best.json": _json_bytes(best.setting)}
    info = {
        "member": member.name,
        "snapshot_id": snapshot.id,
        "seed": seed,
        "num_trials": config.num_trials,
        "num_failed": len(told["failed"]),
        "best_trial": best.trial,
        "best_accuracy": best.validation_accuracy,
        "best_setting": best.setting,
        "plots": {plot.file: plot.title for plot in plots},
        **told,
    }
    pictures = {plot.file: plot.png for plot in plots}
    return store.put(TuningRef, tuning_id, {**files, **pictures}, info)


def apply_tuning(
    store: ArtifactStore, member: MemberConfig, tuning: TuningRef | None
) -> MemberConfig:
    """The member with the best setting of a search; unchanged without one, or for another member.

    Raises:
        ConfigError: the setting does not fit the member.
        StoreError: the outcome of the search is absent or damaged.
    """
    if tuning is None or store.info(tuning)["member"] != member.name:
        return member
    from fer_models.tuning.space import apply_setting

    return apply_setting(member, store.read_json(tuning, "best.json"))


def _json_bytes(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()
