import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fer_models.models.config import NetworkConfig
from fer_models.progress import Progress, listening
from fer_models.storage.store import ArtifactStore, default_cache_dir
from fer_models.training.config import MemberConfig, TrainingConfig
from fer_models.tuning.config import SearchDimension, TuningConfig
from fer_models.tuning.tune import tune_member
from tests.fer_models.training.faces import write_faces

MEMBER = MemberConfig(
    name="small", network=NetworkConfig(width=0.25), training=TrainingConfig(batch_size=28)
)
SEARCH = TuningConfig(
    member="small",
    search="optuna",
    scheduler="none",
    num_trials=5,
    max_epochs=3,
    max_train_images=140,
    cpus_per_trial=1,
    search_space=(
        SearchDimension(field="training.learning_rate", kind="log_uniform", low=1e-3, high=2e-2),
    ),
)
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
def test_a_killed_search_is_restored(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    snapshot = write_faces(store)
    told = [store.url, snapshot.id, MEMBER.model_dump_json(), SEARCH.model_dump_json()]
    process = subprocess.Popen([sys.executable, "-c", _SEARCH, *told], env=dict(os.environ))
    folder = default_cache_dir() / "tuning"
    try:
        finished = _wait_for_a_finished_trial(process, folder)
    finally:
        _kill_with_children(process)
    assert 1 <= len(finished) < SEARCH.num_trials
    heard: list[Progress] = []
    with listening(heard.append):
        tuning = tune_member(store, snapshot, MEMBER, SEARCH, 0)
    trials = store.read_json(tuning, "trials.json")
    assert [trial["trial"] for trial in trials] == list(range(SEARCH.num_trials))
    for number, accuracy in finished.items():
        assert trials[number]["validation_accuracy"] == accuracy
    completed = [p.done for p in heard if p.done >= 1 and p.done == int(p.done)]
    assert completed == list(range(len(finished) + 1, SEARCH.num_trials + 1))
    assert not any(folder.iterdir())


def _wait_for_a_finished_trial(process: subprocess.Popen[bytes], folder: Path) -> dict[int, float]:
    until_s = time.monotonic() + 150
    while time.monotonic() < until_s:
        assert process.poll() is None
        finished = _finished(folder)
        if finished:
            return finished
        time.sleep(0.1)
    raise AssertionError("no trial finished")


def _finished(folder: Path) -> dict[int, float]:
    """Best accuracy of the trials that the state on disk calls finished."""
    found = {}
    for path in folder.glob("*/search/experiment_state-*.json"):
        try:
            lines = json.loads(path.read_text())["trial_data"]
        except ValueError:
            continue  # half written
        for state, metadata in ((json.loads(a), json.loads(b)) for a, b in lines):
            if state["status"] == "TERMINATED":
                last = metadata["last_result"]
                found[int(last["config"]["trial"])] = float(last["best_accuracy"])
    return found


def _kill_with_children(process: subprocess.Popen[bytes]) -> None:
    """Ray's processes notice in some seconds that their driver is gone; end those that do not."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    started_s = time.monotonic()
    _, left = psutil.wait_procs(children, timeout=20)
    print(f"{len(children)} children, {len(left)} left after {time.monotonic() - started_s:.1f} s")
    for child in left:
        child.kill()
