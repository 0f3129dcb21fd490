"""Planted defects of synthetic data, compared with what cleaning quarantined and why."""

from dataclasses import dataclass

import pandas as pd

from fer_models.cleaning import state as reasons
from fer_models.dataset.snapshot import LABEL_ERROR, NOT_A_FACE, QUARANTINED
from fer_models.synthetic import generate as synthetic

_PAIRED = (synthetic.EXACT_DUPLICATE, synthetic.NEAR_DUPLICATE)
_REASON_OF = {
    synthetic.BLANK: reasons.BLANK,
    synthetic.EXACT_DUPLICATE: reasons.EXACT_DUPLICATE,
    synthetic.LABEL_ERROR: LABEL_ERROR,
    synthetic.LEAK: reasons.LEAK,
    synthetic.NEAR_DUPLICATE: reasons.NEAR_DUPLICATE,
    synthetic.NON_FACE: NOT_A_FACE,
}


@dataclass(frozen=True)
class DefectRow:
    """Detection counts of one kind of planted defect.

    Attributes:
        defect: the kind; "" for valid images.
        planted: images with the defect.
        found: images with the defect that are quarantined for the matching reason.
        flagged: images quarantined for that reason (valid images: for any reason).
        correct: of these, the images that have the defect.
    """

    defect: str
    planted: int
    found: int
    flagged: int
    correct: int

    @property
    def recall(self) -> float | None:
        """Found / planted, 0..1; None if nothing was planted."""
        return self.found / self.planted if self.planted else None

    @property
    def precision(self) -> float | None:
        """Correct / flagged, 0..1; None if nothing was flagged."""
        return self.correct / self.flagged if self.flagged else None


def score_cleaning(manifest: pd.DataFrame, truth: pd.DataFrame) -> list[DefectRow]:
    """One row per kind of planted defect, then one for valid images that were quarantined.

    Of an exact or near duplicate and its original, cleaning may quarantine either one; both count
    as found.

    Args:
        manifest: manifest of the snapshot, N rows.
        truth: its `truth` table: `image_id`, `defect` ("" for a valid image), `original_id`.
    """
    table = truth.merge(
        manifest[["image_id", "status", "reason"]], on="image_id", validate="one_to_one"
    )
    held = table["status"] == QUARANTINED
    rows = []
    for defect in sorted(set(table["defect"]) - {""}):
        flagged = held & (table["reason"] == _REASON_OF.get(str(defect), ""))
        has_it = table["defect"] == defect
        found, correct = flagged & has_it, flagged & has_it
        if defect in _PAIRED:
            flagged_ids = set(table.loc[flagged, "image_id"])
            found = has_it & (flagged | table["original_id"].isin(flagged_ids))
            correct = flagged & (has_it | table["image_id"].isin(table.loc[has_it, "original_id"]))
        counts = [int(mask.sum()) for mask in (has_it, found, flagged, correct)]
        rows.append(DefectRow(str(defect), *counts))
    originals = set(table.loc[table["defect"].isin(_PAIRED), "original_id"])
    valid = (table["defect"] == "") & ~table["image_id"].isin(originals)
    false_positives = int((valid & held).sum())
    return [*rows, DefectRow("", int(valid.sum()), false_positives, false_positives, 0)]
