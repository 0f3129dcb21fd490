"""Planted defects of synthetic data against what cleaning set aside, and for which reason."""

from dataclasses import dataclass

import pandas as pd

from fer_models.cleaning import state as reasons
from fer_models.dataset.snapshot import QUARANTINED
from fer_models.synthetic import generate as synthetic

_PAIRED = (synthetic.EXACT_DUPLICATE, synthetic.NEAR_DUPLICATE)
_REASON_OF = {
    synthetic.BLANK: reasons.BLANK,
    synthetic.EXACT_DUPLICATE: reasons.EXACT_DUPLICATE,
    synthetic.LABEL_ERROR: reasons.LABEL_ERROR,
    synthetic.LEAK: reasons.LEAK,
    synthetic.NEAR_DUPLICATE: reasons.NEAR_DUPLICATE,
    synthetic.NON_FACE: reasons.NOT_A_FACE,
}


@dataclass(frozen=True)
class DefectRow:
    """One planted kind of defect, and the rule that looks for it.

    Attributes:
        defect: the kind; "" for sound images.
        planted: how many images have it.
        found: how many of them are in quarantine for the very reason.
        named: how many images are in quarantine for that reason (for sound images: for any).
        right: how many of these have the defect.
    """

    defect: str
    planted: int
    found: int
    named: int
    right: int

    @property
    def recall(self) -> float | None:
        """Found of planted, 0..1; None where nothing was planted."""
        return self.found / self.planted if self.planted else None

    @property
    def precision(self) -> float | None:
        """Right of named, 0..1; None where nothing was named."""
        return self.right / self.named if self.named else None


def score_cleaning(manifest: pd.DataFrame, truth: pd.DataFrame) -> list[DefectRow]:
    """Planted and found defects by kind, then the sound images that were set aside as well.

    Of an exact or near copy and its original either may stay: the one that is set aside counts.

    Args:
        manifest: the snapshot's, N rows.
        truth: its table `truth`: `image_id`, `defect` ("" for a sound image), `original_id`.
    """
    table = truth.merge(
        manifest[["image_id", "status", "reason"]], on="image_id", validate="one_to_one"
    )
    held = table["status"] == QUARANTINED
    rows = []
    for defect in sorted(set(table["defect"]) - {""}):
        named = held & (table["reason"] == _REASON_OF.get(str(defect), ""))
        has_it = table["defect"] == defect
        found, right = named & has_it, named & has_it
        if defect in _PAIRED:
            named_ids = set(table.loc[named, "image_id"])
            found = has_it & (named | table["original_id"].isin(named_ids))
            right = named & (has_it | table["image_id"].isin(table.loc[has_it, "original_id"]))
        counts = [int(mask.sum()) for mask in (has_it, found, named, right)]
        rows.append(DefectRow(str(defect), *counts))
    originals = set(table.loc[table["defect"].isin(_PAIRED), "original_id"])
    sound = (table["defect"] == "") & ~table["image_id"].isin(originals)
    wronged = int((sound & held).sum())
    return [*rows, DefectRow("", int(sound.sum()), wronged, wronged, 0)]
