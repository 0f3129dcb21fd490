"""Matching decisions to the images of a snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.classes.class_list import ClassList
from fer_models.errors import DataError
from fer_models.labels import UNLABELLED
from fer_models.review.decisions_file import KEEP, RELABEL, RESET

NO_IMAGE = "no image with this id or these pixels"
OTHER_PIXELS = "the image with this id has other pixels"
MANY_IMAGES = "several images have these pixels, none has this id"
TEST_PIXELS = "these pixels are in the test split under another id"
NO_CLASS = "this data set has no class"
DUPLICATE = "another decision is about the same image"
_MAX_SHOWN = 20


@dataclass(frozen=True)
class MatchedDecisions:
    """M decisions and their images, in the order of the manifest.

    Attributes:
        positions: M rows of the manifest, ascending, each once.
        actions: M of `keep`, `drop`, `relabel`.
        labels: M class numbers (0..K-1) for `relabel`, else -1.
        notes: M notes; "" for none.
        unmatched: decisions without a matching image, with a column `why`.
    """

    positions: npt.NDArray[np.int64]
    actions: npt.NDArray[np.str_]
    labels: npt.NDArray[np.int64]
    notes: npt.NDArray[np.str_]
    unmatched: pd.DataFrame


def match_decisions(
    manifest: pd.DataFrame, decisions: pd.DataFrame, classes: ClassList
) -> MatchedDecisions:
    """Find the image of each decision: by its id where the pixels agree, else by its pixels.

    Pixels identify an image if no other one has them. Relabelling an image to its current label
    counts as keeping it. `reset` rows are ignored. Images without a split count as training.

    Args:
        manifest: N rows with image_id, pixel_sha256, label and split.
        decisions: a table of `DECISION_DTYPES`.
        classes: what the labels of the manifest number. A decision for a class that is none of
            them is unmatched: one store may hold data sets with different classes.

    Raises:
        DataError: decisions name test images, which must not change.
    """
    table = decisions[decisions["action"] != RESET].reset_index(drop=True)
    index = _ImageIndex(manifest)
    found = [
        index.find(image_id, sha)
        for image_id, sha in zip(table["image_id"], table["pixel_sha256"], strict=True)
    ]
    table["position"] = np.array([position for position, _ in found], dtype=np.int64)
    table["why"] = pd.Series([why for _, why in found], dtype="str")
    named = manifest["image_id"].to_numpy()[table["position"]] == table["image_id"]
    _reject_test_images(manifest, table[(table["position"] >= 0) & named])
    _drop_other_classes(table, classes)
    _drop_repeats(table, named.to_numpy(dtype=bool))
    hits = table[table["position"] >= 0].sort_values("position", kind="stable")
    positions = hits["position"].to_numpy(dtype=np.int64)
    labels = hits["number"].to_numpy(dtype=np.int64).copy()
    actions = hits["action"].to_numpy(dtype="str").copy()
    is_unchanged = (actions == RELABEL) & (labels == manifest["label"].to_numpy()[positions])
    actions[is_unchanged] = KEEP
    labels[is_unchanged] = UNLABELLED
    unmatched = (
        table[table["position"] < 0].drop(columns=["position", "number"]).reset_index(drop=True)
    )
    notes = hits["note"].to_numpy(dtype="str")
    return MatchedDecisions(positions, actions, labels, notes, unmatched)


def matched_positions(manifest: pd.DataFrame, decisions: pd.DataFrame) -> npt.NDArray[np.int64]:
    """The row of the manifest that each of M decisions is about, as for `match_decisions`; else -1.

    Unlike there, `reset` rows have an image, too, and several decisions may be about one image.
    """
    index = _ImageIndex(manifest)
    pairs = zip(decisions["image_id"], decisions["pixel_sha256"], strict=True)
    return np.array([index.find(image_id, sha)[0] for image_id, sha in pairs], dtype=np.int64)


class _ImageIndex:
    """Looks up images by id and by pixels."""

    def __init__(self, manifest: pd.DataFrame) -> None:
        self._shas = manifest["pixel_sha256"].tolist()
        self._splits = manifest["split"].tolist()
        self._by_id: Mapping[str, int] = {
            image_id: row for row, image_id in enumerate(manifest["image_id"])
        }
        self._by_sha: dict[str, list[int]] = {}
        for row, sha in enumerate(self._shas):
            self._by_sha.setdefault(sha, []).append(row)

    def find(self, image_id: str, sha: str) -> tuple[int, str]:
        """The row, or -1 and the reason."""
        row = self._by_id.get(image_id)
        if row is not None and sha in ("", self._shas[row]):
            return row, ""
        rows = self._by_sha.get(sha, [])
        if not rows:
            return -1, NO_IMAGE if row is None else OTHER_PIXELS
        if len(rows) > 1:
            return -1, MANY_IMAGES
        # A decision about a training image of another dataset must not hit a test image.
        return (-1, TEST_PIXELS) if self._splits[rows[0]] == "test" else (rows[0], "")


def _reject_test_images(manifest: pd.DataFrame, table: pd.DataFrame) -> None:
    is_test = manifest["split"].to_numpy()[table["position"]] == "test"
    named = table.loc[is_test, "image_id"].tolist()
    if not named:
        return
    shown = named[:_MAX_SHOWN]
    if len(named) > _MAX_SHOWN:
        shown.append(f"... and {len(named) - _MAX_SHOWN} more")
    raise DataError(
        f"expected decisions about training and validation images, got {len(named)} about test "
        "images; remove them from the file: evaluation splits are never modified",
        shown,
    )


def _drop_other_classes(table: pd.DataFrame, classes: ClassList) -> None:
    """Add the class `number` of each decision (-1 for none); leave out those of no class."""
    number_of = {label: _number(label, classes) for label in set(table["label"])}
    table["number"] = table["label"].map(number_of).astype("int64")
    other = (table["label"] != "") & (table["number"] == UNLABELLED) & (table["position"] >= 0)
    table.loc[other, "why"] = NO_CLASS + " " + table.loc[other, "label"]
    table.loc[other, "position"] = -1


def _number(label: str, classes: ClassList) -> int:
    try:
        return classes.number(label) if label else UNLABELLED
    except DataError:
        return UNLABELLED


def _drop_repeats(table: pd.DataFrame, named: npt.NDArray[np.bool_]) -> None:
    """Keep one decision per image, preferably the one that names it."""
    order = np.lexsort((~named, table["position"].to_numpy()))
    is_repeat = table.iloc[order]["position"].duplicated().to_numpy()
    rows = order[is_repeat & (table["position"].to_numpy()[order] >= 0)]
    table.loc[rows, "why"] = DUPLICATE
    table.loc[rows, "position"] = -1
