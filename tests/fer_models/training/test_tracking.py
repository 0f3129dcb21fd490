"""What a training tells the tracked run: its inputs, its curve and its model."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from fer_models.storage.refs import ArtifactRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from fer_models.training import resumable
from fer_models.training.train import train_member
from tests.fer_models.training.conftest import MEMBER, UNTRACKED, Trained


class _Recorder:
    def __init__(self) -> None:
        self.events: list[Any] = []

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self.events.append(("step", step, "validation_accuracy" in metrics))

    def log_confusion(self, counts_KK: Any, classes: Sequence[str]) -> None:
        self.events.append(("confusion", counts_KK.sum(), len(classes)))

    def used(self, ref: ArtifactRef) -> None:
        self.events.append(("used", ref.id))

    def made(self, ref: ArtifactRef) -> None:
        self.events.append(("made", ref.id))


def test_inputs_come_first_and_the_model_last(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = _Recorder()

    @contextmanager
    def track_run(
        config: TrackingConfig, name: str, _facts: Any, store: ArtifactStore, job_type: str
    ) -> Iterator[_Recorder]:
        assert (config, name, job_type) == (UNTRACKED, "small", "train")
        assert store is trained.store
        yield recorder

    monkeypatch.setattr(resumable, "track_run", track_run)
    member = MEMBER.model_copy(
        update={"training": MEMBER.training.model_copy(update={"epochs": 1})}
    )
    model = train_member(
        trained.store, trained.snapshot, member, 0, UNTRACKED, initial=trained.model
    )
    events = recorder.events
    assert events[:2] == [("used", trained.snapshot.id), ("used", trained.model.id)]
    assert events[-2:] == [("confusion", 42, 7), ("made", model.id)]
    assert any(event[0] == "step" for event in events)
