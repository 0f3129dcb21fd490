"""What the message about a model with the wrong content proposes works."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.errors import DataError
from fer_models.evaluation.predictions import (
    PROBABILITIES_FILE,
    probabilities_bytes,
    read_predictions,
)
from fer_models.models.config import NetworkConfig
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from fer_models.training.config import MemberConfig, TrainingConfig
from fer_models.training.train import train_member
from tests.fer_models.builders import build_snapshot

MEMBER = MemberConfig(
    name="small",
    network=NetworkConfig(image_size_px=48, in_channels=1, width=0.25),
    training=TrainingConfig(epochs=1, batch_size=28),
)
UNTRACKED = TrackingConfig(mode="disabled")


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary folder for checkpoints."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def with_wrong_predictions(store: ArtifactStore, model: ModelRef) -> None:
    """Replace the predictions of a model by those of other images."""
    described = store.describe(model)
    store.forget(model)
    few = np.full((3, 7), 1 / 7)
    files = {name: one for name, one in described.files.items() if name != PROBABILITIES_FILE}
    content = {PROBABILITIES_FILE: probabilities_bytes(few, few)}
    store.put(ModelRef, model.id, content, described.info, files, name=model.name)


def problem_of(store: ArtifactStore, snapshot: DatasetSnapshot, model: ModelRef) -> str:
    with pytest.raises(DataError) as caught:
        read_predictions(store, snapshot, model)
    return caught.value.message


def test_a_model_with_the_wrong_predictions_is_made_again_after_it_was_removed(
    store: ArtifactStore,
) -> None:
    snapshot = build_snapshot(store, 70)
    opened = open_snapshot(store, snapshot)
    model = train_member(store, snapshot, MEMBER, 3, UNTRACKED)
    before = read_predictions(store, opened, model)["test"].probs_NK
    with_wrong_predictions(store, model)
    with pytest.raises(DataError, match="does not fit"):  # training again is not enough
        train_member(store, snapshot, MEMBER, 3, UNTRACKED)
    text = problem_of(store, opened, model)
    assert f"remove {model.url}, then run again what made it" in text
    assert "`ferflow task train`" in text
    shutil.rmtree(store.local_root / "models" / model.id)
    assert train_member(store, snapshot, MEMBER, 3, UNTRACKED) == model
    np.testing.assert_allclose(read_predictions(store, opened, model)["test"].probs_NK, before)
