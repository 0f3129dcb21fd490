"""Chosen faces as tasks of Label Studio, with the model's predictions, and the labeling config.

Format: https://labelstud.io/guide/predictions and https://labelstud.io/guide/task_format.
"""

import base64
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pandas as pd

from fer_models.batch.tables import png_bytes
from fer_models.dataset.snapshot import Images
from fer_models.errors import DataError
from fer_models.selection.stored import open_selection
from fer_models.storage.refs import SelectionRef
from fer_models.storage.store import ArtifactStore

IMAGE_TAG = "image"
CHOICES_TAG = "expression"
NOT_A_FACE = "not a face"
_SHOWN_WIDTH = "240px"
_MAX_DIGIT = 9
_LOCAL_FILES = "/data/local-files/?d="


def label_studio_tasks(
    table: pd.DataFrame,
    images: Images,
    classes: Sequence[str],
    model: str,
    local_root: str | None = None,
) -> list[dict[str, Any]]:
    """The tasks to import, in the order of the selection.

    Args:
        table: the chosen faces (`selection.parquet`).
        images: of the same rows, uint8.
        classes: of the model, in order.
        model: its name, as the version of the predictions.
        local_root: Label Studio's LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT: tasks refer to the
            pictures below it. None: they contain the faces, as base64.

    Raises:
        DataError: a picture is not below `local_root`; lists all of them.
    """
    paths = [str(path) for path in table["path"]]
    urls = _embedded(images) if local_root is None else _local_urls(paths, local_root)
    return [
        _task(row, url, classes, model)
        for row, url in zip(table.to_dict("records"), urls, strict=True)
    ]


def tasks_of(
    store: ArtifactStore, ref: SelectionRef, local_root: str | None = None
) -> list[dict[str, Any]]:
    """The tasks of a stored selection; see `label_studio_tasks`.

    Raises:
        DataError: a picture is not below `local_root`.
        StoreError: the selection is missing or damaged.
    """
    table, images = open_selection(store, ref)
    info = store.info(ref)
    return label_studio_tasks(table, images, info["classes"], info["model"], local_root)


def labeling_config(classes: Sequence[str]) -> str:
    """The labeling interface as XML: one class, or not a face; digits choose."""
    view = ET.Element("View")
    shown = {"name": IMAGE_TAG, "value": f"${IMAGE_TAG}", "width": _SHOWN_WIDTH}
    ET.SubElement(view, "Image", shown)
    tag = {"name": CHOICES_TAG, "toName": IMAGE_TAG, "choice": "single", "showInLine": "true"}
    choices = ET.SubElement(view, "Choices", tag)
    for number, name in enumerate(classes, start=1):
        hotkey = {"hotkey": str(number)} if number <= _MAX_DIGIT else {}
        ET.SubElement(choices, "Choice", {"value": name, **hotkey})
    ET.SubElement(choices, "Choice", {"value": NOT_A_FACE, "hotkey": "0"})
    ET.indent(view)
    return ET.tostring(view, encoding="unicode") + "\n"


def _task(row: dict[Any, Any], url: str, classes: Sequence[str], model: str) -> dict[str, Any]:
    suggestion = row["suggestion"]
    result = {
        "from_name": CHOICES_TAG,
        "to_name": IMAGE_TAG,
        "type": "choices",
        "value": {"choices": [suggestion]},
    }
    score = round(float(row[f"p_{suggestion}"]), 6)
    return {
        "data": {
            IMAGE_TAG: url,
            "image_id": row["face_id"],
            "pixel_sha256": row["pixel_sha256"],
            "path": row["path"],
            "classes": list(classes),
        },
        "predictions": [{"model_version": model, "score": score, "result": [result]}],
    }


def _embedded(images: Images) -> list[str]:
    return [
        f"data:image/png;base64,{base64.b64encode(png_bytes(image)).decode('ascii')}"
        for image in images
    ]


def _local_urls(paths: Sequence[str], root: str) -> list[str]:
    folder = PurePosixPath(root)
    outside = [path for path in paths if not PurePosixPath(path).is_relative_to(folder)]
    if outside:
        raise DataError(
            f"expected pictures below {root}, which Label Studio serves; name another root, or "
            "leave it out to embed the faces in the tasks",
            outside,
        )
    relative = [PurePosixPath(path).relative_to(folder) for path in paths]
    return [_LOCAL_FILES + quote(str(path)) for path in relative]
