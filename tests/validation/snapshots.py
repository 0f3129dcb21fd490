"""Snapshots for the data gate: a valid one, and ways to corrupt it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.classes.class_list import FER2013_CLASSES, ClassList
from fer_models.dataset.snapshot import (
    IMAGE_SIZE_PX,
    KEPT,
    MANIFEST_DTYPES,
    DatasetSnapshot,
    first_of_group,
    pixel_sha256,
)
from fer_models.labels import VOTE_COLUMNS
from fer_models.storage.refs import SnapshotRef

PER_CLASS = {"train": 30, "validation": 10, "test": 10}


@dataclass
class Draft:
    """A manifest and its images, which a test changes before they become a snapshot."""

    table: pd.DataFrame
    images: npt.NDArray[np.uint8]
    classes: ClassList = FER2013_CLASSES

    def rows(self, split: str, label: int) -> list[int]:
        """Positions of the images of a class in a split."""
        mask = (self.table["split"] == split) & (self.table["label"] == label)
        return [int(row) for row in np.flatnonzero(mask)]

    def set(self, column: str, rows: list[int], value: object) -> None:
        """Change some cells."""
        self.table.loc[rows, column] = value

    def copy_pixels(self, source: int, target: int) -> None:
        """Make one image the exact copy of another."""
        self.images[target] = self.images[source]

    def describe_pixels(self) -> None:
        """Update the manifest to match the images."""
        self.table["pixel_sha256"] = pixel_sha256(self.images)
        self.table["duplicate_group"] = first_of_group(self.table["pixel_sha256"])

    def snapshot(self) -> DatasetSnapshot:
        """The snapshot, without a store."""
        table = self.table.astype(MANIFEST_DTYPES)
        info = {"classes": self.classes.info()}
        return DatasetSnapshot(SnapshotRef(id="0" * 40, url=""), table, self.images, info)


def valid_draft(
    classes: ClassList = FER2013_CLASSES, per_class: Mapping[str, int] = PER_CLASS
) -> Draft:
    """Different images with texture: by default 50 of each class, split 30 / 10 / 10."""
    cells = [
        (split, label)
        for split, count in per_class.items()
        for label in range(len(classes))
        for _ in range(count)
    ]
    rng = np.random.default_rng(7)
    shape = (len(cells), IMAGE_SIZE_PX, IMAGE_SIZE_PX)
    images = rng.integers(20, 236, shape, dtype=np.uint8)
    table = pd.DataFrame(
        {
            "image_id": [f"hand:{row}" for row in range(len(cells))],
            "source": "hand",
            "row": range(len(cells)),
            "path": "",
            "split": [split for split, _ in cells],
            "label": [label for _, label in cells],
            **dict.fromkeys(VOTE_COLUMNS, -1),
            "pixel_sha256": "",
            "duplicate_group": 0,
            "status": KEPT,
            "reason": "",
        }
    )
    draft = Draft(table, images, classes)
    draft.describe_pixels()
    return draft
