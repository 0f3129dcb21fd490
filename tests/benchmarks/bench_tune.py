"""Overhead of Ray in a search: start-up, and extra time per trial.

    python -m tests.benchmarks.bench_tune

Runs the same tiny trainings directly in this process and as trials on Ray. The start-up ends with
the first reported epoch, so it includes the first import of torch in Ray's worker.
"""

import os
import platform
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from fer_models.dataset.snapshot import open_snapshot
from fer_models.models.config import NetworkConfig
from fer_models.progress import Progress, listening
from fer_models.ray_cluster import ray_cluster
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig, TrainingConfig
from fer_models.training.engine.fit import fit
from fer_models.training.inputs.data import TrainingData, training_data
from fer_models.training.runtime import training_threads
from fer_models.tuning.config import TuningConfig
from fer_models.tuning.space import apply_setting, draw_settings
from fer_models.tuning.tune import trial_demand
from tests.fer_models.training.faces import write_faces

MAX_S_PER_TRIAL = 1.0
_SEED = 0
_MEMBER = MemberConfig(name="small", network=NetworkConfig(width=0.25))
_NUM_IMAGES = 210


@dataclass(frozen=True)
class TuneOverhead:
    """Overhead of Ray in seconds."""

    start_s: float
    """Time to the first reported epoch, minus the time of that epoch without Ray."""
    per_trial_s: float
    """Extra time of each further trial, beyond its training."""
    training_s: float
    """Training time of one trial, in this process."""


def bench_tune(num_trials: int = 8, epochs: int = 2) -> TuneOverhead:
    """Run the same trainings directly and as a search, one at a time."""
    config = TuningConfig(
        member=_MEMBER.name,
        scheduler="none",
        num_trials=num_trials,
        max_epochs=epochs,
        max_train_images=_NUM_IMAGES,
        cpus_per_trial=1,
    )
    with tempfile.TemporaryDirectory() as folder:
        data = _faces(Path(folder) / "store")
        _direct_s(data, config, 1)  # warm-up: imports and caches
        training_s = _direct_s(data, config, num_trials) / num_trials
        events: list[tuple[float, Progress]] = []
        start_s = time.perf_counter()
        with (
            listening(lambda progress: events.append((time.perf_counter(), progress))),
            ray_cluster(trial_demand(config, _MEMBER, data.nbytes)),
        ):
            from fer_models.tuning.search import run_search

            run_search(data, _MEMBER, config, _SEED, Path(folder))
    first_s = next(at_s for at_s, progress in events if 0 < progress.done < 1)
    first_end_s, last_end_s = (
        next(at_s for at_s, progress in events if progress.done == done) for done in (1, num_trials)
    )
    per_trial_s = (last_end_s - first_end_s) / (num_trials - 1) - training_s
    return TuneOverhead(first_s - start_s - training_s / epochs, per_trial_s, training_s)


def _direct_s(data: TrainingData, config: TuningConfig, num_trials: int) -> float:
    threads = min(config.cpus_per_trial, training_threads())
    changes = {"epochs": config.max_epochs, "threads": threads}
    settings = draw_settings(config.search_space, config.num_trials, _SEED)
    start_s = time.perf_counter()
    for setting in settings[:num_trials]:
        tuned = apply_setting(_MEMBER, setting)
        training: TrainingConfig = tuned.training.model_copy(update=changes)
        member = tuned.model_copy(update={"training": training})
        fit(data, member, _SEED, lambda _: None)
    return time.perf_counter() - start_s


def _faces(folder: Path) -> TrainingData:
    store = ArtifactStore(StoreConfig(url=str(folder)))
    return training_data(open_snapshot(store, write_faces(store, num_train=_NUM_IMAGES)))


def main() -> None:
    """Print the results, and whether the limit is met."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    overhead = bench_tune()
    verdict = "passed" if overhead.per_trial_s <= MAX_S_PER_TRIAL else "FAILED"
    print(
        f"Ray: {overhead.start_s:.1f} s start-up, {overhead.per_trial_s:.2f} s per trial on top of "
        f"its training of {overhead.training_s:.2f} s (limit {MAX_S_PER_TRIAL:g} s: {verdict})"
    )


if __name__ == "__main__":
    main()
