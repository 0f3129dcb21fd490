"""Reading a stored selection.

N chosen faces.
"""

import numpy as np
import pandas as pd

from fer_models.dataset.image_format import recorded_format
from fer_models.dataset.snapshot import Images
from fer_models.ingest.files.image_decoding import decode_image
from fer_models.labelled.faces import FACES_FILE
from fer_models.storage.refs import SelectionRef
from fer_models.storage.store import ArtifactStore

CHOSEN_FILE = "selection.parquet"


def open_chosen(store: ArtifactStore, ref: SelectionRef) -> pd.DataFrame:
    """The chosen faces, N rows in the order of the page.

    Columns: face_id, path, pixel_sha256, uncertainty, suggestion, and p_<class> for each class.

    Raises:
        StoreError: the selection is missing or damaged.
    """
    return pd.read_parquet(store.fetch(ref, CHOSEN_FILE))


def open_selection(store: ArtifactStore, ref: SelectionRef) -> tuple[pd.DataFrame, Images]:
    """The chosen faces, and their images as the model received them, uint8 N x ...

    Raises:
        StoreError: the selection is missing or damaged.
    """
    target = recorded_format(store.info(ref))
    contents = pd.read_parquet(store.fetch(ref, FACES_FILE))["image"]
    images = [decode_image(content, target=target) for content in contents]
    return open_chosen(store, ref), np.stack(images)
