"""Small snapshots for tests of training."""

import numpy as np
import pandas as pd

from fer_models.dataset.snapshot import (
    MANIFEST_DTYPES,
    first_of_group,
    pixel_sha256,
    write_snapshot,
)
from fer_models.labels import NUM_CLASSES, VOTE_COLUMNS, VOTE_TO_EXPRESSION
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore

NO_VOTES = dict.fromkeys(VOTE_COLUMNS, -1)


def pattern_images(labels: np.ndarray, seed: int) -> np.ndarray:
    """Noisy stripes whose direction depends on the class: uint8 N x 48 x 48."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:48, 0:48] / 48
    angle = labels[:, None, None] * np.pi / NUM_CLASSES
    phase = rng.uniform(0, 2 * np.pi, (len(labels), 1, 1))
    waves = np.sin(20 * (rows * np.sin(angle) + columns * np.cos(angle)) + phase)
    noise = rng.normal(0, 0.4, waves.shape)
    return np.clip(128 + 60 * (waves + noise), 0, 255).astype(np.uint8)


def _votes(labels: np.ndarray) -> np.ndarray:
    votes = np.full((len(labels), len(VOTE_COLUMNS)), -1)
    for vote, expression in VOTE_TO_EXPRESSION.items():
        votes[::2, int(vote)] = 10 * (labels[::2] == int(expression))
    votes[::2] = np.maximum(votes[::2], 0)
    return votes


def write_faces(
    store: ArtifactStore,
    num_train: int = 140,
    num_validation: int = 42,
    num_test: int = 21,
    classes: tuple[int, ...] = tuple(range(NUM_CLASSES)),
    seed: int = 0,
    *,
    voted: bool = False,
) -> SnapshotRef:
    """A split snapshot of stripes; if `voted`, every second image has ten equal votes."""
    splits = ["train"] * num_train + ["validation"] * num_validation + ["test"] * num_test
    total = len(splits)
    labels = np.resize(np.array(classes), total)
    images = pattern_images(labels, seed)
    shas = pixel_sha256(images)
    manifest = pd.DataFrame(
        {
            "image_id": [f"test:{i}" for i in range(total)],
            "source": "test",
            "row": range(total),
            "path": "",
            "split": splits,
            "label": labels,
            **(dict(zip(VOTE_COLUMNS, _votes(labels).T, strict=True)) if voted else NO_VOTES),
            "pixel_sha256": shas,
            "duplicate_group": first_of_group(pd.Series(shas)),
            "status": "kept",
            "reason": "",
        }
    )
    return write_snapshot(store, manifest.astype(MANIFEST_DTYPES), images, "split")
