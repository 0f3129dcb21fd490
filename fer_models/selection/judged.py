"""Faces that people have judged, as pixels in the format of a model."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from fer_models.dataset.image_format import ImageFormat, recorded_format
from fer_models.dataset.snapshot import pixel_sha256
from fer_models.ingest.files.image_decoding import decode_image
from fer_models.labelled.versions import current_labels, open_images, open_labels
from fer_models.storage.refs import LabelledRef, SelectionRef
from fer_models.storage.store import ArtifactStore


def judged_pixels(store: ArtifactStore, image_format: ImageFormat) -> frozenset[str]:
    """Hashes of the pixels, in a format, of all faces that people have labelled, or called no face.

    Labels have the hashes of pixels as the model received them that chose the face. Faces that a
    model with another format chose are decoded again.

    Raises:
        StoreError: the labels or a selection are damaged.
    """
    version = current_labels(store)
    if version is None:
        return frozenset()
    labels = open_labels(store, version)
    others = [
        one
        for one in labels["selection"].unique()
        if recorded_format(store.info(store.ref(SelectionRef, one, page_url=""))) != image_format
    ]
    is_other = labels["selection"].isin(others)
    hashes = set(labels.loc[~is_other, "pixel_sha256"])
    return frozenset(hashes | set(_decoded(store, version, labels[is_other], image_format)))


def _decoded(
    store: ArtifactStore, version: LabelledRef, labels: pd.DataFrame, image_format: ImageFormat
) -> Iterable[str]:
    if labels.empty:
        return []
    contents = open_images(store, version, labels["face_id"].tolist())
    decoded = [decode_image(content, target=image_format) for content in contents]
    images = [image[None] for image in decoded if not isinstance(image, str)]
    return pixel_sha256(np.concatenate([image_format.none(), *images]))
