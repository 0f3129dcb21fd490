"""State of cleaning: what is known and decided about each image.

N images, K classes.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.classes.class_list import FER2013_CLASSES, ClassList
from fer_models.dataset.similarity_cache import SimilarityCache
from fer_models.dataset.snapshot import (
    KEPT,
    LABEL_ERROR,
    NO_VOTE,
    NOT_A_FACE,
    QUARANTINED,
    UNASSIGNED,
    Images,
)
from fer_models.labels import LABELLED_SOURCE, UNLABELLED, VOTE_COLUMNS
from fer_models.quality.scores import probability_columns

KEEP = "keep"
QUARANTINE = "quarantine"
RELABEL = "relabel"
BY_PERSON = "by_person"
BLANK = "blank"
LEAK = "leak"
EXACT_DUPLICATE = "exact_duplicate"
CONFLICTING_LABEL = "conflicting_label"
NEAR_DUPLICATE = "near_duplicate"
REASONS = (
    BLANK,
    LEAK,
    EXACT_DUPLICATE,
    CONFLICTING_LABEL,
    NEAR_DUPLICATE,
    NOT_A_FACE,
    LABEL_ERROR,
    BY_PERSON,
)

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_EVEN_ODDS = 0.5
_DECIMALS = 4


class CleaningState:
    """Starts from the uncleaned manifest; rules and people's decisions change it.

    Attributes:
        manifest: N rows, before cleaning.
        images: uint8 N x 48 x 48.
        role: `train`, `validation` or `test`; images without a split count as training.
        kept: N booleans.
        label: N current class numbers, -1 for none.
        exempt: N booleans: a person keeps the image, whatever the rules say.
        scores: N rows of label scores (`fer_models.quality.scores.open_scores`), or None.
        similarities: pairs aligned before, or None; results do not depend on it.
        classes: what the labels number.
    """

    def __init__(
        self,
        manifest: pd.DataFrame,
        images: Images,
        scores: pd.DataFrame | None = None,
        similarities: SimilarityCache | None = None,
        classes: ClassList = FER2013_CLASSES,
    ) -> None:
        """Only what ingest quarantined is decided at first."""
        self.manifest = manifest
        self.images = images
        self.scores = scores
        self.similarities = similarities
        self.classes = classes
        self.role = manifest["split"].replace(UNASSIGNED, "train").to_numpy()
        self.kept = (manifest["status"] == KEPT).to_numpy().copy()
        self.label = manifest["label"].to_numpy(dtype=np.int64).copy()
        self.exempt = np.zeros(len(manifest), dtype=bool)
        self._reason = manifest["reason"].to_numpy(dtype=object).copy()
        self._evidence = np.where(self.kept, 1.0, 0.0)
        self._related = np.full(len(manifest), -1, dtype=np.int64)
        self._suggested = np.full(len(manifest), UNLABELLED, dtype=np.int64)
        self._relabelled = np.zeros(len(manifest), dtype=bool)
        if scores is not None:
            assert scores["image_id"].tolist() == manifest["image_id"].tolist()
            is_worse = scores["label_quality"].to_numpy() < _EVEN_ODDS
            self._suggested[is_worse] = scores["suggested_label"].to_numpy()[is_worse]

    def rows(self, *roles: str) -> Rows:
        """Kept rows of the given roles, in manifest order."""
        return np.flatnonzero(self.kept & np.isin(self.role, roles)).astype(np.int64)

    def candidates(self) -> Rows:
        """Kept training rows that rules may quarantine (not exempt)."""
        return np.flatnonzero(self.kept & (self.role == "train") & ~self.exempt).astype(np.int64)

    def doubtful(self) -> Rows:
        """Candidates whose label or face may be wrong: not those that a person has labelled.

        People were shown these because a model was unsure, so scores of models don't count.
        """
        rows = self.candidates()
        sources = self.manifest["source"].to_numpy()[rows]
        unsure: Rows = rows[sources != LABELLED_SOURCE]
        return unsure

    def votes(self, rows: Rows) -> Rows:
        """FER+ votes of the rows (len(rows) x 10); 0 without votes."""
        votes: Rows = self.manifest[list(VOTE_COLUMNS)].to_numpy(dtype=np.int64)[rows]
        votes[votes == NO_VOTE] = 0
        return votes

    def score(self, column: str) -> Floats | None:
        """N values of a score column; None without scores."""
        return None if self.scores is None else self.scores[column].to_numpy(dtype=np.float64)

    def quarantine(
        self,
        rows: Rows,
        reason: str,
        evidence: Floats | float = 0.0,
        related: Rows | int = -1,
        suggested_label: int | None = None,
    ) -> None:
        """Quarantine rows; `evidence` is 0..1, lower is worse; `related` is a row or -1."""
        self._decide(rows, reason, evidence, related)
        self.kept[rows] = False
        if suggested_label is not None:
            self._suggested[rows] = suggested_label

    def relabel(
        self, rows: Rows, labels: Rows | int, reason: str, evidence: Floats | float = 0.0
    ) -> None:
        """Give rows another label; they are kept and exempt from further rules."""
        self._decide(rows, reason, evidence, -1)
        self.label[rows] = labels
        self._suggested[rows] = labels
        self._relabelled[rows] = True
        self.kept[rows] = True
        self.exempt[rows] = True

    def keep(self, rows: Rows) -> None:
        """Keep rows and exempt them from the rules, as a person decided."""
        self.kept[rows] = True
        self.exempt[rows] = True
        self._reason[rows] = BY_PERSON
        self._evidence[rows] = 1.0

    def decisions(self) -> pd.DataFrame:
        """Decisions, one row per image, in manifest order.

        Columns: image_id, source, row, split, `label` (of the source), `action` (keep, quarantine
        or relabel), `reason` ("" without a decision), `score` (label quality, 0..1, lower is worse;
        1 if not scored), `evidence` (0..1, lower is worse, of the rule that decided; 1 without),
        `suggested_label` (0..6, -1 for none), `related_id` (the original of a copy), `probability`
        of the given and `suggested_probability` of the suggested label (0..1, NaN if unknown).
        """
        table = self.manifest[["image_id", "source", "row", "split", "label"]].copy()
        action = np.where(self._relabelled & self.kept, RELABEL, KEEP)
        table["action"] = np.where(self.kept, action, QUARANTINE)
        table["reason"] = self._text(self._reason)
        quality = self.score("label_quality")
        table["score"] = 1.0 if quality is None else quality
        table["evidence"] = self._evidence
        table["suggested_label"] = self._suggested
        ids = np.append(self.manifest["image_id"].to_numpy(dtype=object), "")
        table["related_id"] = self._text(ids[self._related])
        given = self.manifest["label"].to_numpy(dtype=np.int64)
        table["probability"] = self._probabilities(given)
        table["suggested_probability"] = self._probabilities(self._suggested)
        return table

    def cleaned_manifest(self) -> pd.DataFrame:
        """The manifest with the new status, reasons and labels."""
        reason = np.where(self.kept, "", self._reason)
        return self.manifest.assign(
            status=np.where(self.kept, KEPT, QUARANTINED),
            reason=self._text(reason),
            label=self.label,
        )

    def _decide(
        self, rows: Rows, reason: str, evidence: Floats | float, related: Rows | int
    ) -> None:
        self._reason[rows] = reason
        # Rounded, so that the bytes of the table do not depend on the last bit of a quotient.
        self._evidence[rows] = np.round(np.clip(evidence, 0.0, 1.0), _DECIMALS)
        self._related[rows] = related

    def _probabilities(self, labels: Rows) -> Floats:
        found = np.full(len(labels), np.nan)
        if self.scores is not None:
            columns = probability_columns(self.classes)
            known = np.flatnonzero(labels != UNLABELLED)
            found[known] = self.scores[columns].to_numpy()[known, labels[known]]
        return np.round(found, _DECIMALS)

    def _text(self, values: npt.NDArray[np.object_]) -> pd.Series:
        return pd.Series(values, index=self.manifest.index, dtype="str")


def uncleaned_manifest(manifest: pd.DataFrame, decisions: pd.DataFrame | None) -> pd.DataFrame:
    """The manifest before cleaning, so that repeated cleaning does not accumulate.

    Args:
        manifest: of any snapshot.
        decisions: its table `decisions` if it was cleaned, else None.
    """
    if decisions is None:
        return manifest
    assert decisions["image_id"].tolist() == manifest["image_id"].tolist()
    decided = manifest["reason"].isin(REASONS).to_numpy()
    from_ingest = (manifest["status"] == QUARANTINED).to_numpy() & ~decided
    return manifest.assign(
        label=decisions["label"],
        status=np.where(from_ingest, QUARANTINED, KEPT),
        reason=manifest["reason"].where(from_ingest, ""),
    )
