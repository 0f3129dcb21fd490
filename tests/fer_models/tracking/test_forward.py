"""What a node tracks arrives at its driver as it was tracked."""

from typing import Any

import numpy as np
import pytest

from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking import forward
from fer_models.tracking.config import TrackingConfig
from fer_models.tracking.forward import Confusion, ForwardingTracker, Logged, Metrics, RunStarted


def test_every_call_is_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Any] = []
    monkeypatch.setattr(forward, "send_event", events.append)
    store = ArtifactStore(StoreConfig(url="a-store"))
    snapshot = store.ref(SnapshotRef, "a-snapshot")
    model = store.ref(ModelRef, "a-model", name="small")
    started = RunStarted(TrackingConfig(), "small", {"seed": 1}, "train")
    counts = np.eye(2, dtype=np.int64)
    run = ForwardingTracker(started)
    run.used(snapshot)
    run.log({"loss": 1.0}, step=3)
    run.log_confusion(counts, ["angry", "happy"])
    run.made(model)
    assert events == [
        started,
        Logged(snapshot, "used"),
        Metrics({"loss": 1.0}, 3),
        Confusion(counts, ["angry", "happy"]),
        Logged(model, "made"),
    ]
