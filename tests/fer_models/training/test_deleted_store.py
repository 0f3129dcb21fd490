"""A store that is deleted during a training: no model of data that is gone, and no epoch lost."""

import shutil
from pathlib import Path

import pytest

from fer_models.errors import StoreError
from fer_models.progress import Progress, listening
from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep import present
from fer_models.training.train import train_member
from tests.fer_models.training.conftest import MEMBER, UNTRACKED, Trained
from tests.fer_models.training.faces import write_faces


@pytest.mark.parametrize("look_every_s", [0.0, 3600.0])
def test_a_store_deleted_in_mid_training_gets_no_model(
    store: ArtifactStore,
    trained: Trained,
    cache_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    look_every_s: float,
) -> None:
    monkeypatch.setattr(present, "_EVERY_S", look_every_s)
    epochs = []

    def delete(progress: Progress) -> None:
        if "loss" in progress.note:
            epochs.append(progress.done)
            shutil.rmtree(store.local_root, ignore_errors=True)

    snapshot = write_faces(store)
    named = f"datasets/{snapshot.id} was removed during the training of small"
    with pytest.raises(StoreError, match=named), listening(delete):
        train_member(store, snapshot, MEMBER, 3, UNTRACKED)
    assert len(epochs) == (1 if look_every_s == 0 else MEMBER.training.epochs)
    assert not store.local_root.exists()

    # Run again, as the message says.
    events: list[Progress] = []
    with listening(events.append):
        model = train_member(store, write_faces(store), MEMBER, 3, UNTRACKED)
    assert model.id == trained.model.id
    assert any("resumed after epoch" in event.note for event in events)
