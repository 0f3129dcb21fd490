"""What is known and decided about each image while a snapshot is cleaned.

N images, K classes.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.dataset.snapshot import KEPT, NO_VOTE, QUARANTINED, UNASSIGNED, Images
from fer_models.labels import CLASS_NAMES, UNLABELLED, VOTE_COLUMNS

KEEP = "keep"
QUARANTINE = "quarantine"
RELABEL = "relabel"
BY_PERSON = "by_person"
BLANK = "blank"
LEAK = "leak"
EXACT_DUPLICATE = "exact_duplicate"
CONFLICTING_LABEL = "conflicting_label"
NEAR_DUPLICATE = "near_duplicate"
NOT_A_FACE = "not_a_face"
LABEL_ERROR = "label_error"
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
    """Starts from the images as they came; rules and people's decisions change it.

    Attributes:
        manifest: the snapshot's manifest, N rows, as it came.
        images: uint8 N x 48 x 48.
        role: `train`, `validation` or `test`; images without a split count as training.
        kept: N booleans.
        label: N class numbers, -1 for none; the ones in force.
        exempt: N booleans: a person wants to keep the image whatever the rules think of it.
        scores: N rows of label scores (`fer_models.quality.score.open_scores`), or None.
    """

    def __init__(self, manifest: pd.DataFrame, images: Images, scores: pd.DataFrame | None) -> None:
        """Nothing is decided yet but what ingest put in quarantine."""
        self.manifest = manifest
        self.images = images
        self.scores = scores
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
            doubted = scores["label_quality"].to_numpy() < _EVEN_ODDS
            self._suggested[doubted] = scores["suggested_label"].to_numpy()[doubted]

    def rows(self, *roles: str) -> Rows:
        """Kept rows of the given roles, in manifest order."""
        return np.flatnonzero(self.kept & np.isin(self.role, roles)).astype(np.int64)

    def doubtful(self) -> Rows:
        """Kept training rows that rules of judgement may put in quarantine."""
        return np.flatnonzero(self.kept & (self.role == "train") & ~self.exempt).astype(np.int64)

    def votes(self, rows: Rows) -> Rows:
        """FER+ votes of the rows (len(rows) x 10); 0 where there are none."""
        votes: Rows = self.manifest[list(VOTE_COLUMNS)].to_numpy(dtype=np.int64)[rows]
        votes[votes == NO_VOTE] = 0
        return votes

    def score(self, column: str) -> Floats | None:
        """N values of a column of the scores; None without scores."""
        return None if self.scores is None else self.scores[column].to_numpy(dtype=np.float64)

    def quarantine(
        self,
        rows: Rows,
        reason: str,
        evidence: Floats | float = 0.0,
        related: Rows | int = -1,
        suggested_label: int | None = None,
    ) -> None:
        """Put rows in quarantine; `evidence` is 0..1, lower is worse, `related` a row or -1."""
        self._decide(rows, reason, evidence, related)
        self.kept[rows] = False
        if suggested_label is not None:
            self._suggested[rows] = suggested_label

    def relabel(
        self, rows: Rows, labels: Rows | int, reason: str, evidence: Floats | float = 0.0
    ) -> None:
        """Give rows another label; they stay, also against the rules that doubt their label."""
        self._decide(rows, reason, evidence, -1)
        self.label[rows] = labels
        self._suggested[rows] = labels
        self._relabelled[rows] = True
        self.kept[rows] = True
        self.exempt[rows] = True

    def keep(self, rows: Rows) -> None:
        """Exempt rows from all rules of judgement, as a person decided."""
        self.kept[rows] = True
        self.exempt[rows] = True
        self._reason[rows] = BY_PERSON
        self._evidence[rows] = 1.0

    def decisions(self) -> pd.DataFrame:
        """What was decided, one row an image, in manifest order.

        Columns: image_id, source, row, split, `label` (as it came), `action` (keep, quarantine or
        relabel), `reason` ("" where no rule and no person spoke), `score` (label quality, 0..1,
        lower is worse; 1 where it was not scored), `evidence` (0..1, lower is worse, of the rule
        that decided; 1 where nothing speaks against the image), `suggested_label` (0..6, -1 for
        none), `related_id` (the image that it is a copy of), `probability` of the given and
        `suggested_probability` of the suggested label (0..1, NaN where unknown).
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
        # Rounded, so that the table's bytes do not hang on the last bit of a quotient.
        self._evidence[rows] = np.round(np.clip(evidence, 0.0, 1.0), _DECIMALS)
        self._related[rows] = related

    def _probabilities(self, labels: Rows) -> Floats:
        found = np.full(len(labels), np.nan)
        if self.scores is not None:
            columns = [f"p_{name}" for name in CLASS_NAMES]
            known = np.flatnonzero(labels != UNLABELLED)
            found[known] = self.scores[columns].to_numpy()[known, labels[known]]
        return np.round(found, _DECIMALS)

    def _text(self, values: npt.NDArray[np.object_]) -> pd.Series:
        return pd.Series(values, index=self.manifest.index, dtype="str")


def as_it_came(manifest: pd.DataFrame, decisions: pd.DataFrame | None) -> pd.DataFrame:
    """The manifest before it was cleaned, so that cleaning again does not add up.

    Args:
        manifest: of any snapshot.
        decisions: its table of decisions, if it was cleaned before.
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
