"""Tracking on a node, written by its driver."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ArtifactRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking import receive
from fer_models.tracking.config import TrackingConfig
from fer_models.tracking.forward import Confusion, Logged, Metrics, RunStarted
from fer_models.tracking.receive import received_run

STARTED = RunStarted(TrackingConfig(), "small", {"seed": 1}, "train")
STORE = ArtifactStore(StoreConfig(url="a-store"))
SNAPSHOT = STORE.ref(SnapshotRef, "a-snapshot")


class _Recorder:
    def __init__(self) -> None:
        self.lines: list[Any] = []

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self.lines.append((step, dict(metrics)))

    def log_confusion(self, counts_KK: Any, classes: Sequence[str]) -> None:
        self.lines.append((counts_KK.tolist(), classes))

    def used(self, ref: ArtifactRef) -> None:
        self.lines.append(("used", ref))

    def made(self, ref: ArtifactRef) -> None:
        self.lines.append(("made", ref))


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    recorder = _Recorder()

    @contextmanager
    def track_run(
        _config: TrackingConfig, name: str, run_config: Any, store: ArtifactStore, job_type: str
    ) -> Iterator[_Recorder]:
        assert store is STORE
        recorder.lines.append((name, run_config, job_type))
        yield recorder
        recorder.lines.append("finished")

    monkeypatch.setattr(receive, "track_run", track_run)
    return recorder.lines


def test_a_run_that_moves_to_another_node_stays_one_run(lines: list[Any]) -> None:
    confusion = Confusion(np.eye(2, dtype=np.int64), ["angry", "happy"])
    events = [
        STARTED,
        Logged(SNAPSHOT, "used"),
        Metrics({"loss": 2.0}, 5),
        Metrics({"loss": 1.0}, 10),
        STARTED,  # the first node was lost
        Metrics({"loss": 2.0}, 5),
        Metrics({"loss": 0.5}, 15),
        confusion,
        Logged(SNAPSHOT, "made"),
    ]
    with received_run(STORE) as run:
        for event in events:
            run.on_event(event)
    assert lines == [
        ("small", {"seed": 1}, "train"),
        ("used", SNAPSHOT),
        (5, {"loss": 2.0}),
        (10, {"loss": 1.0}),
        (15, {"loss": 0.5}),
        ([[1, 0], [0, 1]], ["angry", "happy"]),
        ("made", SNAPSHOT),
        "finished",
    ]


def test_a_node_that_tracks_nothing_starts_no_run(lines: list[Any]) -> None:
    with received_run(STORE):
        pass
    assert lines == []
