import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from fer_models.models.config import NetworkConfig
from fer_models.progress import Progress, listening
from fer_models.storage.refs import SnapshotRef, TuningRef
from fer_models.storage.store import ArtifactStore, default_cache_dir
from fer_models.training.config import MemberConfig, TrainingConfig
from fer_models.tuning.config import SearchDimension, TuningConfig
from fer_models.tuning.tune import tune_member
from tests.fer_models.training.faces import write_faces

MEMBER = MemberConfig(
    name="small", network=NetworkConfig(width=0.25), training=TrainingConfig(batch_size=2)
)
SEARCH = TuningConfig(
    member="small",
    search="optuna",
    scheduler="none",
    num_trials=5,
    max_epochs=8,
    max_train_images=140,
    cpus_per_trial=1,
    search_space=(
        SearchDimension(field="training.learning_rate", kind="log_uniform", low=1e-3, high=2e-2),
    ),
)
ASHA = SEARCH.model_copy(
    update={
        "search": "latin_hypercube",
        "scheduler": "asha",
        "num_trials": 8,
        "max_epochs": 4,
    }
)
PBT = ASHA.model_copy(update={"scheduler": "pbt", "num_trials": 4, "max_epochs": 6})
_SEARCH = """
import sys
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.tuning.config import TuningConfig
from fer_models.tuning.tune import tune_member

url, snapshot_id, member, config = sys.argv[1:]
tune_member(
    ArtifactStore(StoreConfig(url=url)),
    SnapshotRef(id=snapshot_id, url=url),
    MemberConfig.model_validate_json(member),
    TuningConfig.model_validate_json(config),
    0,
)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_search_resumes(store: ArtifactStore) -> None:
    snapshot = write_faces(store)
    folder = default_cache_dir() / "tuning"
    children = _kill_search(store, snapshot, SEARCH, lambda: bool(_finished(folder)))
    finished = _finished(folder)
    assert 1 <= len(finished) < SEARCH.num_trials
    events: list[Progress] = []
    with listening(events.append):
        tuning = tune_member(store, snapshot, MEMBER, SEARCH, 0)
    trials = store.read_json(tuning, "trials.json")
    assert [trial["trial"] for trial in trials] == list(range(SEARCH.num_trials))
    for number, accuracy in finished.items():
        assert trials[number]["validation_accuracy"] == accuracy
    completed = [p.done for p in events if p.done >= 1 and p.done == int(p.done)]
    assert completed == list(range(len(finished) + 1, SEARCH.num_trials + 1))
    assert not any(folder.iterdir())
    # The next search ends the remaining processes of the killed one.
    assert not [child for child in children if child.is_running()]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("config", [ASHA, PBT], ids=["asha", "pbt"])
def test_a_resumed_search_has_the_same_result_as_an_uninterrupted_one(
    store: ArtifactStore, config: TuningConfig
) -> None:
    snapshot = write_faces(store)
    whole = _outcome(store, tune_member(store, snapshot, MEMBER, config, 0))
    folder = default_cache_dir() / "tuning"
    half = config.num_trials * config.max_epochs // 3
    _kill_search(store, snapshot, config, lambda: _epochs_reported(folder) >= half)
    events: list[Progress] = []
    with listening(events.append):
        restored = tune_member(store, snapshot, MEMBER, config, 0)
    assert events[1].done >= 1  # it resumed and did not start over
    assert _outcome(store, restored) == whole
    if config.scheduler == "asha":
        assert {trial["stopped_early"] for trial in store.read_json(restored, "trials.json")} == {
            True,
            False,
        }


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_search_with_a_damaged_state_starts_over(
    store: ArtifactStore, caplog: pytest.LogCaptureFixture
) -> None:
    snapshot = write_faces(store)
    config = ASHA.model_copy(update={"num_trials": 3, "max_epochs": 2})
    folder = default_cache_dir() / "tuning"
    _kill_search(store, snapshot, config, lambda: bool(_finished(folder)))
    (state,) = folder.glob("*/search/experiment_state-*.json")
    state.write_bytes(state.read_bytes()[: state.stat().st_size // 2])
    tuning = tune_member(store, snapshot, MEMBER, config, 0)
    assert "the search starts over" in caplog.text
    assert len(store.read_json(tuning, "trials.json")) == 3


def _outcome(store: ArtifactStore, tuning: TuningRef) -> tuple[str, str]:
    return tuning.id, json.dumps(store.read_json(tuning, "trials.json"), indent=1)


def _kill_search(
    store: ArtifactStore, snapshot: SnapshotRef, config: TuningConfig, when: Callable[[], bool]
) -> list[psutil.Process]:
    """Kill a search as soon as its state on disk satisfies `when`; returns its child processes."""
    arguments = [store.url, snapshot.id, MEMBER.model_dump_json(), config.model_dump_json()]
    process = subprocess.Popen([sys.executable, "-c", _SEARCH, *arguments], env=dict(os.environ))
    deadline_s = time.monotonic() + 400
    try:
        while not when():
            assert process.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
    finally:
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait()
    return children


def _last_results(folder: Path) -> list[tuple[str, dict]]:
    """Status and last result of the trials in the state on disk."""
    found = []
    for path in folder.glob("*/search/experiment_state-*.json"):
        try:
            lines = json.loads(path.read_text())["trial_data"]
        except ValueError:
            continue  # not fully written
        for state, metadata in lines:
            found.append((json.loads(state)["status"], json.loads(metadata)["last_result"]))
    return found


def _finished(folder: Path) -> dict[int, float]:
    """Best accuracy of the trials that are finished in the state on disk."""
    return {
        int(last["config"]["trial"]): float(last["best_accuracy"])
        for status, last in _last_results(folder)
        if status == "TERMINATED"
    }


def _epochs_reported(folder: Path) -> int:
    return sum(last.get("epoch", 0) for _, last in _last_results(folder))
