"""The result of every reader: the images of one source with their fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pandas as pd

from fer_models.dataset.array_file import NpyFile
from fer_models.dataset.image_format import THUMBNAIL, ImageFormat
from fer_models.dataset.snapshot import NO_VOTE, Images
from fer_models.ingest.image_buffer import ImageBuffer
from fer_models.labels import CLASS_NAMES, UNLABELLED, VOTE_COLUMNS

NO_VOTES: tuple[int, ...] = (NO_VOTE,) * len(VOTE_COLUMNS)
NO_COLUMNS: Mapping[str, str] = MappingProxyType({})
USER_COLUMN = "user column: "
"""Beginning of the names of user columns among the fields."""


@dataclass
class SourceTable:
    """The usable images of one source.

    `fields` has one row an image: `row` (number in the source, from 0), `path`, `split`, `label`,
    `reason` (of quarantine, else ""), the vote columns, and user columns (texts, "" if unknown)
    whose names begin with USER_COLUMN. A label is a position in `label_names`,
    or UNLABELLED. `images` is uint8 in the same order. `num_rows` counts all rows of
    the source, including unusable ones.
    """

    fields: pd.DataFrame
    images: Images
    num_rows: int
    has_usage: bool = False
    has_votes: bool = False
    truth: pd.DataFrame | None = None
    """Synthetic faces only: `row`, `true_label`, `defect`, `original_row`."""
    label_names: Sequence[str] = CLASS_NAMES
    """What the labels of this source mean, after `class_name`."""
    pixel_sha256: list[str] | None = None
    """Of each image, hex, if its reader has computed them."""
    thumbnails: Images | None = None
    """Grey 48 x 48 versions of the images, if its reader has made them."""
    files: Mapping[str, NpyFile] = field(default_factory=dict)
    """Those of the images and the thumbnails by name, if a snapshot can take them over."""
    label_facts: Mapping[str, Any] = field(default_factory=dict)
    """See `LabelReader.facts`."""

    def rows_without_label(self) -> list[int]:
        """The rows, by their numbers in the source, without a label though nothing is wrong."""
        fields = self.fields
        rows = fields.loc[(fields["label"] == UNLABELLED) & (fields["reason"] == ""), "row"]
        return [int(row) for row in rows]

    def unlabelled_note(self, rows: Sequence[int]) -> str:
        """That these of the images have no label, and what that means; "" for none."""
        if not rows:
            return ""
        return (
            f"{len(rows):,} of {len(self.fields):,} images have no label: they are kept, but not "
            "used for training or evaluation"
        )


@dataclass
class TableBuilder:
    """Collects the images of one source, chunk by chunk."""

    image_format: ImageFormat = THUMBNAIL
    _rows: list[tuple[Any, ...]] = field(default_factory=list)
    _columns: list[Mapping[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start without images."""
        self._buffer = ImageBuffer(self.image_format)

    def add_images(self, images: Images) -> None:
        """Append a chunk of images; call `add_fields` for each of them."""
        self._buffer.append(images)

    def add_fields(
        self,
        row: int,
        label: int = UNLABELLED,
        split: str = "",
        path: str = "",
        reason: str = "",
        votes: Sequence[int] = NO_VOTES,
        columns: Mapping[str, str] = NO_COLUMNS,
    ) -> None:
        """Append the fields of the next image; `columns` has its user columns."""
        self._rows.append((row, path, split, label, reason, *votes))
        self._columns.append(columns)

    def table(
        self,
        num_rows: int,
        has_usage: bool = False,
        has_votes: bool = False,
        images: Images | None = None,
    ) -> SourceTable:
        """Everything collected as one table; `images`, if they were collected elsewhere."""
        columns = ["row", "path", "split", "label", "reason", *VOTE_COLUMNS]
        fields = pd.DataFrame(self._rows, columns=columns)
        if any(self._columns):
            user = pd.DataFrame(self._columns).fillna("").astype("str")
            fields = pd.concat([fields, user.add_prefix(USER_COLUMN)], axis=1)
        images = self._buffer.finish() if images is None else images
        assert len(images) == len(fields)
        return SourceTable(fields, images, num_rows, has_usage, has_votes)
