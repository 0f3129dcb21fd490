"""The images that two snapshots have in common in a split, matched one to one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.dataset.snapshot import DatasetSnapshot

Ints = npt.NDArray[np.int64]
_PIXELS = "pixel_sha256"


@dataclass(frozen=True)
class CommonImages:
    """N images with the same pixels and label in a split of both snapshots.

    Attributes:
        rows_a, rows_b: N rows of each split (positions in its predictions), in matching order.
        by_id, by_pixels: how many were matched by id and pixels, and how many by pixels alone.
        relabelled: matched images that are left out because their labels differ.
        only_a, only_b: images of the split that the other snapshot does not have in it.
    """

    rows_a: Ints
    rows_b: Ints
    by_id: int
    by_pixels: int
    relabelled: int
    only_a: int
    only_b: int


def common_images(a: DatasetSnapshot, b: DatasetSnapshot, split: str) -> CommonImages:
    """Match the kept, labelled images of a split.

    An image is the same if id and pixels are the same. The others are matched by pixels alone,
    where these occur once on either side: other sources may give an image another id.

    Example:
        common = common_images(open_snapshot(store, first), open_snapshot(store, second), "test")
        len(common.rows_a), common.only_a
    """
    left, right = _table(a, split), _table(b, split)
    by_id = left.merge(
        right, on=["image_id", _PIXELS], suffixes=("_a", "_b"), validate="one_to_one"
    )
    rest_left = _unique(left[~left["row"].isin(by_id["row_a"])])
    rest_right = _unique(right[~right["row"].isin(by_id["row_b"])])
    by_pixels = rest_left.merge(
        rest_right, on=_PIXELS, suffixes=("_a", "_b"), validate="one_to_one"
    )
    columns = ["row_a", "row_b", "label_a", "label_b"]
    matched = pd.concat([by_id[columns], by_pixels[columns]], ignore_index=True)
    agreed = matched[matched["label_a"] == matched["label_b"]].sort_values("row_a")
    return CommonImages(
        rows_a=agreed["row_a"].to_numpy(dtype=np.int64),
        rows_b=agreed["row_b"].to_numpy(dtype=np.int64),
        by_id=len(by_id),
        by_pixels=len(by_pixels),
        relabelled=len(matched) - len(agreed),
        only_a=len(left) - len(matched),
        only_b=len(right) - len(matched),
    )


def _table(snapshot: DatasetSnapshot, split: str) -> pd.DataFrame:
    positions = snapshot.positions(split)
    table = snapshot.manifest.iloc[positions][["image_id", _PIXELS, "label"]]
    return table.assign(row=np.arange(len(positions)))


def _unique(table: pd.DataFrame) -> pd.DataFrame:
    """The images whose pixels occur once."""
    return table.drop_duplicates(_PIXELS, keep=False)
