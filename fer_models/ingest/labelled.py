"""The faces that people have labelled, as one more source: training images with their labels."""

from pathlib import Path
from typing import Any

import pandas as pd

from fer_models.classes.names import class_name
from fer_models.dataset.image_format import ImageFormat
from fer_models.ingest.files.image_decoding import decode_image
from fer_models.ingest.findings import Findings
from fer_models.ingest.locate import Source
from fer_models.ingest.read import ReadSource
from fer_models.ingest.source_table import TableBuilder
from fer_models.labelled.versions import open_images, open_labels
from fer_models.labels import LABELLED_SOURCE
from fer_models.storage.refs import LabelledRef
from fer_models.storage.store import ArtifactStore

_TRAINING = "train"


def read_labelled(
    store: ArtifactStore, ref: LabelledRef, image_format: ImageFormat
) -> ReadSource | None:
    """Read the faces with a class, by number; None if there are none.

    All are training images, whatever the sources and the split say: people were shown them because
    a model was unsure, so they would make held-out accuracy too low.

    Raises:
        StoreError: the version is missing or damaged.
    """
    labels = open_labels(store, ref)
    labels = labels[labels["label"] != ""]
    if labels.empty:
        return None
    names = sorted({class_name(label) for label in labels["label"]})
    builder = TableBuilder(image_format)
    images = open_images(store, ref, labels["face_id"].tolist())
    for content, row in zip(images, labels.to_dict(orient="records"), strict=True):
        pixels = decode_image(content, target=image_format)
        assert not isinstance(pixels, str)  # it was decoded when it was chosen
        builder.add_images(pixels[None])
        builder.add_fields(row["number"], names.index(class_name(row["label"])), _TRAINING)
    table = builder.table(len(labels))
    table.label_names = names
    source = Source(LABELLED_SOURCE, Path(), LABELLED_SOURCE, LABELLED_SOURCE, None)
    return ReadSource(source, Findings(LABELLED_SOURCE), table, image_format)


def provenance(store: ArtifactStore, ref: LabelledRef) -> pd.DataFrame:
    """Where each labelled image comes from: image_id, face_id, selection, model and note."""
    labels = open_labels(store, ref)
    labels = labels[labels["label"] != ""]
    ids: list[Any] = [f"{LABELLED_SOURCE}/{number:06d}" for number in labels["number"]]
    table = labels[["face_id", "selection", "model", "note"]].reset_index(drop=True)
    table.insert(0, "image_id", pd.Series(ids, dtype="str"))
    return table
