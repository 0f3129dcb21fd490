"""Population based training on real Ray."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from fer_models.models.config import NetworkConfig
from fer_models.progress import Progress, listening
from fer_models.storage.store import ArtifactStore, default_cache_dir
from fer_models.training.config import MemberConfig, TrainingConfig
from fer_models.tuning.config import SearchDimension, TuningConfig
from fer_models.tuning.tune import apply_tuning, tune_member
from tests.fer_models.ray_workers import ray_workers
from tests.fer_models.training.faces import write_faces

MEMBER = MemberConfig(
    name="small", network=NetworkConfig(width=0.25), training=TrainingConfig(batch_size=28)
)
SEARCH = TuningConfig(
    member="small",
    scheduler="pbt",
    num_trials=4,
    max_epochs=4,
    max_train_images=140,
    cpus_per_trial=1,
    search_space=(
        SearchDimension(field="training.learning_rate", kind="log_uniform", low=1e-3, high=2e-2),
        SearchDimension(field="training.label_smoothing", kind="choice", choices=(0.0, 0.05, 0.1)),
    ),
)


@dataclass
class CheckpointCounter:
    """Counts the checkpoints of a running search at every progress event."""

    folder: Path
    max_per_trial: int = 0

    def __call__(self, _: Progress) -> None:
        trials = [path for path in self.folder.glob("*/search/*") if path.is_dir()]
        counts = [len(list(trial.glob("checkpoint_*"))) for trial in trials]
        self.max_per_trial = max([self.max_per_trial, *counts])


@pytest.mark.slow
def test_a_population_is_trained_and_parallel_trials_change_nothing(store: ArtifactStore) -> None:
    snapshot = write_faces(store)
    folder = default_cache_dir() / "tuning"
    counter, events = CheckpointCounter(folder), list[Progress]()
    with listening(counter), listening(events.append):
        tuning = tune_member(store, snapshot, MEMBER, SEARCH, 0)
    trials = store.read_json(tuning, "trials.json")
    assert [(trial["epochs"], len(trial["curve"])) for trial in trials] == [(4, 4)] * 4
    copies = [step for trial in trials for step in trial["schedule"] if step["epoch"] > 1]
    assert len(copies) == 3  # one of four at each of three exchanges
    for trial in trials:
        _check_schedule(trial)
    best = max(trials, key=lambda trial: (trial["curve"][-1], -trial["validation_loss"]))
    assert store.info(tuning)["best_trial"] == best["trial"]
    assert best["setting"] == best["schedule"][-1]["setting"]
    tuned = apply_tuning(store, MEMBER, tuning)
    assert tuned.training.learning_rate == best["setting"]["training.learning_rate"]
    # Two are kept, and a third one while it replaces the oldest.
    assert 1 <= counter.max_per_trial <= 3
    assert not any(folder.iterdir())
    done = [progress.done for progress in events]
    assert done == sorted(done)

    parallel = SEARCH.model_copy(update={"max_concurrent_trials": 2})
    again = tune_member(store, snapshot, MEMBER, parallel, 0)
    assert store.read_json(again, "trials.json") == trials


@pytest.mark.slow
def test_a_lost_trial_of_a_population_is_retried(store: ArtifactStore) -> None:
    snapshot = write_faces(store)
    whole = store.read_json(tune_member(store, snapshot, MEMBER, SEARCH, 0), "trials.json")
    killed: list[psutil.Process] = []
    notes: list[str] = []

    def kill_the_worker(progress: Progress) -> None:
        notes.append(progress.note)
        if progress.done >= 1 and not killed:
            killed.append(_busiest_worker())
            killed[0].kill()

    one_at_a_time = SEARCH.model_copy(update={"max_concurrent_trials": 1})
    with listening(kill_the_worker):
        again = tune_member(store, snapshot, MEMBER, one_at_a_time, 0)
    (note,) = [note for note in notes if "lost" in note]
    assert re.fullmatch(r"trial \d lost its worker and is retried", note)
    assert store.read_json(again, "trials.json") == whole


def _busiest_worker() -> psutil.Process:
    """The Ray worker with the most CPU time: it has imported torch and is training."""
    workers = ray_workers("ray::IDLE", "ray::ImplicitFunc")
    return max(workers, key=lambda worker: worker.cpu_times().user)


def _check_schedule(trial: dict[str, Any]) -> None:
    first, *later = trial["schedule"]
    assert (first["epoch"], first["copied_from"]) == (1, None)
    for step in later:
        assert step["copied_from"] in {0, 1, 2, 3} - {trial["trial"]}
        assert 1e-3 <= step["setting"]["training.learning_rate"] <= 2e-2
    assert trial["setting"] == trial["schedule"][-1]["setting"]
    assert trial["validation_accuracy"] == pytest.approx(trial["curve"][-1], abs=1e-4)
