"""User columns of a snapshot: further facts about each image, such as gender or age group.

Ingest stores them as the table `columns` of the snapshot, and derived snapshots keep it.
"""

import pandas as pd

from fer_models.dataset.snapshot import DatasetSnapshot, open_tables
from fer_models.storage.store import ArtifactStore

COLUMNS_TABLE = "columns"
IMAGE_ID = "image_id"
FACE_SIZE = "face_size_px"
"""Shorter side of the face box in the original image; kept where a source has boxes."""
RESERVED_COLUMNS = ("", IMAGE_ID, FACE_SIZE, "class", "brightness", "contrast", "sharpness")
"""Names that no user column can have."""


def open_columns(store: ArtifactStore, snapshot: DatasetSnapshot) -> pd.DataFrame:
    """The user columns of all N images, in manifest order; texts, "" where a value is unknown.

    Without any, the table has N rows and no columns.

    Raises:
        StoreError: the snapshot is damaged.
    """
    ids = snapshot.manifest[IMAGE_ID]
    table = open_tables(store, snapshot.ref).get(COLUMNS_TABLE)
    if table is None:
        return pd.DataFrame(index=range(len(ids)))
    rows = ids.to_frame().merge(table, on=IMAGE_ID, how="left", validate="one_to_one")
    return rows.drop(columns=IMAGE_ID).fillna("").astype("str")
