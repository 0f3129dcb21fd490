"""The page on which a person labels chosen faces; see `fer_models.review.page`."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from fer_models.dataset.snapshot import Images
from fer_models.labels import UNLABELLED
from fer_models.plotting.embedded import embedded_png
from fer_models.review.page import review_html, saved_name
from fer_models.selection.stored import open_selection
from fer_models.storage.refs import SelectionRef
from fer_models.storage.store import ArtifactStore

PAGE_FILE = "review.html"
INGEST_COMMAND = "ferflow task ingest"
_GROUP = "unlabelled"


def label_page(
    table: pd.DataFrame,
    images: Images,
    classes: Sequence[str],
    selection_id: str,
    command: str = INGEST_COMMAND,
) -> str:
    """The self-contained page of a selection.

    Args:
        table: the chosen faces, in the order of the page.
        images: of the same rows, uint8.
        classes: of the model, in order.
        selection_id: the selection.
        command: the next step, without the option that names the decisions.
    """
    data = {
        "snapshot": selection_id,
        "file": saved_name(selection_id),
        "items": [_item(row, cells, classes) for row, cells in enumerate(_records(table))],
        "facts": [],
        "pictures": {str(row): embedded_png(image) for row, image in enumerate(images)},
    }
    return review_html(data, classes, command, labels=True)


def page_of(store: ArtifactStore, ref: SelectionRef, command: str) -> str:
    """The page of a stored selection, with another next step.

    Raises:
        StoreError: the selection is missing or damaged.
    """
    table, images = open_selection(store, ref)
    classes = store.info(ref)["classes"]
    return label_page(table, images, classes, ref.id, command)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _item(row: int, cells: dict[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    suggestion = cells["suggestion"]
    return {
        "i": row,
        "id": cells["face_id"],
        "sha": cells["pixel_sha256"],
        "group": _GROUP,
        "split": "",
        "label": UNLABELLED,
        "status": _GROUP,
        "path": cells["path"],
        "hint": list(classes).index(suggestion),
        "q": round(float(cells[f"p_{suggestion}"]), 4),
    }
