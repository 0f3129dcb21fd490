"""A run that pauses for a person lets others train meanwhile."""

import sys
from pathlib import Path

import pytest
from prefect import flow

from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from flows.pipeline_config import PipelineConfig
from flows.prepare_data import _clean
from flows.recipes import load_config
from tasks.cache.results import results_in
from tasks.slot.training_slot import TrainingSlot, Waiting, take_training_slot, training_slot
from tests.fer_models.review.builders import cleaned_snapshot


@pytest.mark.usefixtures("prefect_server")
def test_a_pause_for_review_frees_the_training_slot(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_file, was_free = tmp_path / "lock", list[bool]()

    def answered(*_: object) -> None:
        other = TrainingSlot(lock_file, Waiting())
        was_free.append(other._is_free())
        other.release()

    @flow(name="slot-test-clean")
    def prepared(raw: SnapshotRef, config: PipelineConfig) -> SnapshotRef:
        with results_in(config.store), training_slot(TrainingSlot(lock_file, Waiting())):
            take_training_slot("score")
            return _clean(raw, config)

    module = sys.modules[_clean.__module__]  # the package has a flow of this name
    monkeypatch.setattr(module, "wait_for_review", answered)
    settings = ["cleaning.pause_for_review=true", "scoring.enabled=false"]
    prepared(cleaned_snapshot(store), load_config("demo", [f"store.url={store.url}", *settings]))
    assert was_free == [True]
