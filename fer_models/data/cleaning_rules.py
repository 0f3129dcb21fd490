"""The rules of cleaning: which images are put in quarantine, and why.

A review walks through a snapshot's N rows. Rules run one after the other and see only what the
rules before them kept, so a review of a reviewed snapshot finds nothing more. Test images are
never put in quarantine: what is reported must not depend on our taste.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.data.config import CleaningConfig
from fer_models.data.near_duplicates import find_near_duplicates
from fer_models.data.snapshot import KEPT, NO_VOTE, QUARANTINED, UNASSIGNED, Images
from fer_models.labels import UNLABELLED, VOTE_COLUMNS, VOTE_TO_EXPRESSION, FerPlusVote
from fer_models.progress import report

KEEP = "keep"
QUARANTINE = "quarantine"

BLANK = "blank"
LEAK = "leak"
EXACT_DUPLICATE = "exact_duplicate"
CONFLICTING_LABEL = "conflicting_label"
NOT_A_FACE = "not_a_face"
NEAR_DUPLICATE = "near_duplicate"

_BLOCK = 4096
Rows = npt.NDArray[np.int64]


class Review:
    """The state of a review: what is kept so far and what was decided about each of N images.

    Attributes:
        manifest: the snapshot's manifest, never changed.
        images: uint8 N x 48 x 48.
        role: `train`, `validation` or `test`; unassigned images count as training.
        kept: N booleans.
        reason, score, suggested_label: N values; see `decisions`.
    """

    def __init__(
        self, manifest: pd.DataFrame, images: Images, earlier: pd.DataFrame | None
    ) -> None:
        """Start from the manifest's status and, if it was cleaned before, from its decisions."""
        self.manifest = manifest
        self.images = images
        self.role = manifest["split"].replace(UNASSIGNED, "train").to_numpy()
        self.kept = (manifest["status"] == KEPT).to_numpy().copy()
        self.reason = manifest["reason"].to_numpy(dtype=object).copy()
        self.score = np.where(self.kept, 1.0, 0.0)
        self.suggested_label = np.full(len(manifest), UNLABELLED, dtype=np.int64)
        if earlier is not None:
            assert earlier["image_id"].tolist() == manifest["image_id"].tolist()
            self.score = earlier["score"].to_numpy(dtype=np.float64).copy()
            self.suggested_label = earlier["suggested_label"].to_numpy(dtype=np.int64).copy()

    def rows(self, *roles: str) -> Rows:
        """Kept rows of the given roles, in manifest order."""
        return np.flatnonzero(self.kept & np.isin(self.role, roles)).astype(np.int64)

    def quarantine(
        self,
        rows: Rows,
        reason: str,
        score: npt.NDArray[np.float64] | float = 0.0,
        suggested_label: int = UNLABELLED,
    ) -> None:
        """Put rows in quarantine."""
        assert not (self.role[rows] == "test").any()
        self.kept[rows] = False
        self.reason[rows] = reason
        # Rounded, so that the table's bytes do not hang on the last bit of a quotient.
        self.score[rows] = np.round(np.clip(score, 0.0, 1.0), 4)
        self.suggested_label[rows] = suggested_label

    def decisions(self) -> pd.DataFrame:
        """What was decided, one row an image.

        Columns: image_id, source, row, split, `action` (keep or quarantine), `reason` ("" if
        kept), `score` (0..1, lower is worse: 1 where nothing speaks against the image) and
        `suggested_label` (0..6, what FER+ voters say of conflicting copies; else -1).
        """
        table = self.manifest[["image_id", "source", "row", "split"]].copy()
        table["action"] = np.where(self.kept, KEEP, QUARANTINE)
        table["reason"] = pd.Series(self.reason, index=table.index, dtype="str")
        table["score"] = self.score
        table["suggested_label"] = self.suggested_label
        return table

    def cleaned_manifest(self) -> pd.DataFrame:
        """The manifest with the new status and reasons."""
        status = np.where(self.kept, KEPT, QUARANTINED)
        reason = pd.Series(self.reason, index=self.manifest.index, dtype="str")
        return self.manifest.assign(status=status, reason=reason)


def review(state: Review, config: CleaningConfig) -> None:
    """Apply the rules of the policy, each to what the ones before it kept."""
    rules = {
        "off": (),
        "balanced": (find_blank, find_leaks, find_copies),
        "strict": (find_blank, find_leaks, find_copies, find_not_a_face, find_near_copies),
    }[config.policy]
    for number, rule in enumerate(rules):
        report("clean", number, len(rules), "rules", rule.__name__.replace("_", " "))
        rule(state, config)
    report("clean", len(rules), len(rules), "rules")


def find_blank(state: Review, config: CleaningConfig) -> None:
    """Training and validation images without contrast."""
    rows = state.rows("train", "validation")
    deviation = grey_deviation(state.images)[rows]
    blank = deviation < config.min_std
    state.quarantine(rows[blank], BLANK, deviation[blank] / max(config.min_std, 1e-9))


def find_leaks(state: Review, config: CleaningConfig) -> None:
    """Validation images that stand in the test, and training images that stand in either."""
    del config
    for role, held_out in (("validation", ("test",)), ("train", ("validation", "test"))):
        pixels = state.manifest["pixel_sha256"]
        rows = state.rows(role)
        held = pixels.iloc[state.rows(*held_out)]
        state.quarantine(rows[pixels.iloc[rows].isin(held).to_numpy()], LEAK)


def find_copies(state: Review, config: CleaningConfig) -> None:
    """Exact copies within training or validation: one stays, or none if nobody knows its label."""
    del config
    for role in ("train", "validation"):
        for copies in _groups_of_copies(state, role):
            _decide_copies(state, copies)


def find_not_a_face(state: Review, config: CleaningConfig) -> None:
    """Training images that enough FER+ taggers call no face."""
    rows = state.rows("train")
    votes = _votes(state.manifest, rows)
    not_face = votes[:, FerPlusVote.NF]
    found = not_face >= config.min_not_face_votes
    share = not_face[found] / np.maximum(votes[found].sum(axis=1), 1)
    state.quarantine(rows[found], NOT_A_FACE, 1.0 - share)


def find_near_copies(state: Review, config: CleaningConfig) -> None:
    """Training images that are nearly a held-out image or an earlier training image."""
    found = find_near_duplicates(
        state.images,
        state.rows("validation", "test"),
        state.rows("train"),
        config.near_duplicate_distance,
        config.near_duplicate_max_difference,
    )
    score = found.differences / max(config.near_duplicate_max_difference, 1e-9)
    state.quarantine(found.copies, NEAR_DUPLICATE, score)


def grey_deviation(images: Images) -> npt.NDArray[np.float64]:
    """Standard deviation of each image's grey values (0..127.5), from exact integer sums."""
    deviations = np.empty(len(images), dtype=np.float64)
    for start in range(0, len(images), _BLOCK):
        block = images[start : start + _BLOCK].reshape(-1, images[0].size).astype(np.int64)
        count = block.shape[1]
        spread = count * (block * block).sum(axis=1) - block.sum(axis=1) ** 2
        deviations[start : start + len(block)] = np.sqrt(spread / (count * count))
    return deviations


def _groups_of_copies(state: Review, role: str) -> Iterator[Rows]:
    rows = state.rows(role)
    pixels = state.manifest["pixel_sha256"].iloc[rows]
    repeated = pixels.duplicated(keep=False).to_numpy()
    groups = pd.Series(rows[repeated]).groupby(pixels.to_numpy()[repeated], sort=False)
    for _, group in groups:
        yield group.to_numpy(dtype=np.int64)


def _decide_copies(state: Review, copies: Rows) -> None:
    labels = state.manifest["label"].to_numpy(dtype=np.int64)[copies]
    known = np.unique(labels[labels != UNLABELLED])
    if len(known) < 2:
        keep = copies[np.argmax(labels != UNLABELLED)]
        state.quarantine(copies[copies != keep], EXACT_DUPLICATE)
        return
    votes = _votes(state.manifest, copies).sum(axis=0)
    favoured = _favoured_label(votes)
    if favoured not in known:
        state.quarantine(copies, CONFLICTING_LABEL, suggested_label=favoured)
        return
    keep = copies[np.argmax(labels == favoured)]
    same = np.isin(labels, (favoured, UNLABELLED)) & (copies != keep)
    state.quarantine(copies[same], EXACT_DUPLICATE)
    state.quarantine(
        copies[(labels != favoured) & (labels != UNLABELLED)],
        CONFLICTING_LABEL,
        suggested_label=favoured,
    )


def _votes(manifest: pd.DataFrame, rows: Rows) -> Rows:
    """FER+ votes of the rows (len(rows) x 10); 0 where there are none."""
    votes: Rows = manifest[list(VOTE_COLUMNS)].to_numpy(dtype=np.int64)[rows]
    votes[votes == NO_VOTE] = 0
    return votes


def _favoured_label(votes: Rows) -> int:
    """The class with more votes than any other choice, or -1."""
    most = votes.max()
    if most == 0 or (votes == most).sum() > 1:
        return UNLABELLED
    return int(VOTE_TO_EXPRESSION.get(FerPlusVote(int(votes.argmax())), UNLABELLED))
