"""A small trained model, shared by the tests of this folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fer_models.models.config import NetworkConfig
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from fer_models.training.config import AugmentConfig, MemberConfig, TrainingConfig
from fer_models.training.train import train_member
from tests.fer_models.training.faces import write_faces

MEMBER = MemberConfig(
    name="small",
    network=NetworkConfig(image_size_px=48, in_channels=1, width=0.25, dropout=0.1),
    training=TrainingConfig(
        epochs=4, batch_size=28, learning_rate=2e-2, augment=AugmentConfig(flip=False, erase=0.3)
    ),
)
UNTRACKED = TrackingConfig(mode="disabled")


@dataclass(frozen=True)
class Trained:
    """A store with a snapshot and the model trained on it."""

    store: ArtifactStore
    snapshot: SnapshotRef
    model: ModelRef


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary cache folder for every test; the folder of its checkpoints."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ferflow" / "training"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """The model of MEMBER with seed 3."""
    folder = tmp_path_factory.mktemp("trained here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        store = ArtifactStore(StoreConfig(url=str(folder / "store")))
        snapshot = write_faces(store)
        yield Trained(store, snapshot, train_member(store, snapshot, MEMBER, 3, UNTRACKED))
