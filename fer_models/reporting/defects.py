"""Planted defects of synthetic data against what cleaning set aside."""

from dataclasses import dataclass

import pandas as pd

from fer_models.data.snapshot import QUARANTINED

_PAIRED = ("exact_duplicate", "near_duplicate", "leak")


@dataclass(frozen=True)
class DefectRow:
    """How many images of a planted defect there are, and how many of them are in quarantine."""

    defect: str
    planted: int
    found: int


def score_cleaning(manifest: pd.DataFrame, truth: pd.DataFrame) -> list[DefectRow]:
    """Planted and found defects by kind, then the sound images that were set aside as well.

    A copy counts as found when it or its original is in quarantine: one of them may stay.

    Args:
        manifest: the snapshot's, N rows.
        truth: its table `truth`: `image_id`, `defect` ("" for a sound image), `original_id`.
    """
    held = set(manifest.loc[manifest["status"] == QUARANTINED, "image_id"])
    is_held = truth["image_id"].isin(held)
    has_pair = truth["defect"].isin(_PAIRED)
    found = is_held | (has_pair & truth["original_id"].isin(held))
    rows = [
        DefectRow(str(defect), int(mask.sum()), int((mask & found).sum()))
        for defect in sorted(set(truth["defect"]) - {""})
        if (mask := truth["defect"] == defect).any()
    ]
    originals = set(truth.loc[has_pair, "original_id"])
    sound = (truth["defect"] == "") & ~truth["image_id"].isin(originals)
    return [*rows, DefectRow("", int(sound.sum()), int((sound & is_held).sum()))]
