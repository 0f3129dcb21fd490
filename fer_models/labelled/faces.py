"""The tables of labelled faces.

* `labels.parquet` of a version: `number` (of the face, stable over versions), `face_id`,
  `pixel_sha256`, `label` (a class name; "" for what a person calls no face), `note`, `path` of the
  picture, `selection` and `model` (which artifacts chose it).
* `faces.parquet` of a selection: `face_id` and `image`, the bytes of an image file.
"""

import io
from collections.abc import Mapping

import pandas as pd

LABEL_DTYPES = {
    "number": "int64",
    "face_id": "str",
    "pixel_sha256": "str",
    "label": "str",
    "note": "str",
    "path": "str",
    "selection": "str",
    "model": "str",
}
LABELS_FILE = "labels.parquet"
FACES_FILE = "faces.parquet"


def empty_labels() -> pd.DataFrame:
    """A table without labels."""
    return pd.DataFrame({name: [] for name in LABEL_DTYPES}).astype(LABEL_DTYPES)


def parquet_bytes(table: pd.DataFrame) -> bytes:
    """A table as a parquet file."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()


def faces_bytes(images: Mapping[str, bytes]) -> bytes:
    """The file of faces, from image files by face id."""
    table = pd.DataFrame({"face_id": list(images), "image": list(images.values())})
    return parquet_bytes(table.astype({"face_id": "str"}))


def linked_name(selection_id: str) -> str:
    """The name that a version gives to the faces of a selection."""
    return f"faces-{selection_id}.parquet"
