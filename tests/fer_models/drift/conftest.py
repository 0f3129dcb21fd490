"""A network trained on synthetic faces, its snapshot, and recent faces of the same generator."""

import numpy as np
import pandas as pd
import pytest

from fer_models.dataset.snapshot import first_of_group, pixel_sha256, write_snapshot
from fer_models.drift.recent import RecentImages, distinct
from fer_models.labels import VOTE_COLUMNS
from fer_models.models.config import NetworkConfig
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.synthetic.action_units import draw_traits
from fer_models.synthetic.faces import draw_faces
from fer_models.tracking.config import TrackingConfig
from fer_models.training.config import MemberConfig, TrainingConfig
from fer_models.training.train import train_member

NUM_RECENT = 300
_NUM_IMAGES = 1400


def draw(labels: np.ndarray, seed: int) -> np.ndarray:
    """Synthetic faces without defects, uint8 N x 48 x 48."""
    rng = np.random.default_rng(seed)
    return draw_faces(draw_traits(labels.astype(np.int64), rng), rng)


def recent_of(images: np.ndarray) -> RecentImages:
    return distinct(images, [f"face-{row}" for row in range(len(images))])


@pytest.fixture(scope="session")
def drift_store(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    return ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("drift"))))


@pytest.fixture(scope="session")
def training(drift_store: ArtifactStore) -> SnapshotRef:
    labels = np.arange(_NUM_IMAGES) % 7
    images = draw(labels, 1)
    shas = pixel_sha256(images)
    table = pd.DataFrame(
        {
            "image_id": [f"face/{row:06d}" for row in range(_NUM_IMAGES)],
            "source": "drawn",
            "row": np.arange(_NUM_IMAGES),
            "path": "",
            "split": np.where(np.arange(_NUM_IMAGES) < _NUM_IMAGES * 5 // 7, "train", "validation"),
            "label": labels,
            **dict.fromkeys(VOTE_COLUMNS, -1),
            "pixel_sha256": shas,
            "duplicate_group": first_of_group(pd.Series(shas)),
            "status": "kept",
            "reason": "",
        }
    )
    return write_snapshot(drift_store, table, images, "split")


@pytest.fixture(scope="session")
def trained(
    drift_store: ArtifactStore, training: SnapshotRef, tmp_path_factory: pytest.TempPathFactory
) -> ModelRef:
    member = MemberConfig(
        name="small",
        network=NetworkConfig(name="scratch_mlp", width=0.25),
        training=TrainingConfig(epochs=12, precision="32-true"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return train_member(drift_store, training, member, 0, TrackingConfig(mode="disabled"))


@pytest.fixture(scope="session")
def fresh() -> np.ndarray:
    """Faces that the network has not seen, of all classes alike."""
    return draw(np.arange(NUM_RECENT) % 7, 2)
