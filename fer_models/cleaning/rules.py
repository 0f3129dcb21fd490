"""The rules of cleaning: which training images are put in quarantine, and why.

Rules run one after the other and see only what the rules before them kept. They touch training
images only (and those without a split, of which training images will be drawn): validation and
test are the measure, and a measure is told about, not bent.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.cleaning.config import CleaningConfig
from fer_models.cleaning.state import (
    BLANK,
    CONFLICTING_LABEL,
    EXACT_DUPLICATE,
    LABEL_ERROR,
    LEAK,
    NEAR_DUPLICATE,
    NOT_A_FACE,
    CleaningState,
    Rows,
)
from fer_models.dataset.near_duplicates import find_near_duplicates
from fer_models.dataset.snapshot import Images
from fer_models.labels import UNLABELLED, VOTE_TO_EXPRESSION, FerPlusVote
from fer_models.progress import report

_BLOCK = 4096
_HELD_OUT = ("validation", "test")


def apply_rules(state: CleaningState, config: CleaningConfig) -> None:
    """Apply the rules of the policy, each to what the ones before it kept."""
    if config.policy == "off":
        return
    rules = (
        find_blank,
        find_leaks,
        find_copies,
        find_near_copies,
        find_not_a_face,
        find_label_errors,
    )
    for number, rule in enumerate(rules):
        report("clean", number, len(rules), "rules", rule.__name__.replace("_", " "))
        rule(state, config)
    report("clean", len(rules), len(rules), "rules")


def find_blank(state: CleaningState, config: CleaningConfig) -> None:
    """Images without contrast."""
    rows = state.doubtful()
    deviation = grey_deviation(state.images)[rows]
    blank = deviation < config.min_std
    state.quarantine(rows[blank], BLANK, deviation[blank] / max(config.min_std, 1e-9))


def find_leaks(state: CleaningState, config: CleaningConfig) -> None:
    """Training images with the pixels of a held-out one; no person can wish for these."""
    del config
    rows, held = state.rows("train"), state.rows(*_HELD_OUT)
    pixels = state.manifest["pixel_sha256"].to_numpy()
    held_row = dict(zip(pixels[held[::-1]], held[::-1].tolist(), strict=True))
    original = np.array([held_row.get(sha, -1) for sha in pixels[rows]], dtype=np.int64)
    leaks = original >= 0
    state.quarantine(rows[leaks], LEAK, related=original[leaks])


def find_copies(state: CleaningState, config: CleaningConfig) -> None:
    """Exact copies: one stays, or none if nobody knows its label."""
    for copies in _groups_of_copies(state):
        _decide_copies(state, copies, config)


def find_near_copies(state: CleaningState, config: CleaningConfig) -> None:
    """Training images that show the picture of a held-out or an earlier training image."""
    found = find_near_duplicates(
        state.images,
        state.rows(*_HELD_OUT),
        state.rows("train"),
        config.near_duplicate_min_similarity,
    )
    judged = ~state.exempt[found.copies]
    evidence = (1.0 - found.similarity) / max(1.0 - config.near_duplicate_min_similarity, 1e-9)
    state.quarantine(
        found.copies[judged], NEAR_DUPLICATE, evidence[judged], found.originals[judged]
    )


def find_not_a_face(state: CleaningState, config: CleaningConfig) -> None:
    """Images that enough FER+ taggers call no face; without votes, those unlike all faces."""
    rows = state.doubtful()
    votes = state.votes(rows)
    not_face, num_votes = votes[:, FerPlusVote.NF], votes.sum(axis=1)
    voted = not_face >= config.min_not_face_votes
    state.quarantine(rows[voted], NOT_A_FACE, 1.0 - not_face[voted] / num_votes[voted])
    face_score = state.score("face_score")
    if face_score is None:
        return
    # Where ten people have looked, their word counts.
    odd = ~voted & (num_votes == 0) & (face_score[rows] < config.face_score_limit)
    state.quarantine(rows[odd], NOT_A_FACE, face_score[rows[odd]])


def find_label_errors(state: CleaningState, config: CleaningConfig) -> None:
    """Labels that the networks that never saw the image take for wrong, and taggers' verdicts."""
    if config.relabel_by_votes:
        _relabel_by_votes(state, config)
    is_issue, quality = state.score("is_label_issue"), state.score("label_quality")
    if is_issue is None or quality is None:
        return
    rows = state.doubtful()
    wrong = quality[rows] <= config.label_quality_limit
    if config.quarantines_label_issues:
        wrong |= is_issue[rows] > 0
    # A person has relabelled it since it was scored, or it has no label.
    wrong &= state.label[rows] == state.manifest["label"].to_numpy(dtype=np.int64)[rows]
    wrong &= state.label[rows] != UNLABELLED
    state.quarantine(rows[wrong], LABEL_ERROR, quality[rows[wrong]])


def grey_deviation(images: Images) -> npt.NDArray[np.float64]:
    """Standard deviation of each image's grey values (0..127.5), from exact integer sums."""
    deviations = np.empty(len(images), dtype=np.float64)
    for start in range(0, len(images), _BLOCK):
        block = images[start : start + _BLOCK].reshape(-1, images[0].size).astype(np.int64)
        count = block.shape[1]
        spread = count * (block * block).sum(axis=1) - block.sum(axis=1) ** 2
        deviations[start : start + len(block)] = np.sqrt(spread / (count * count))
    return deviations


def _groups_of_copies(state: CleaningState) -> Iterator[Rows]:
    rows = state.rows("train")
    pixels = state.manifest["pixel_sha256"].iloc[rows]
    repeated = pixels.duplicated(keep=False).to_numpy()
    groups = pd.Series(rows[repeated]).groupby(pixels.to_numpy()[repeated], sort=False)
    for _, group in groups:
        yield group.to_numpy(dtype=np.int64)


def _decide_copies(state: CleaningState, copies: Rows, config: CleaningConfig) -> None:
    labels = state.label[copies]
    known = np.unique(labels[labels != UNLABELLED])
    if len(known) < 2:
        keep = copies[np.argmax(labels != UNLABELLED)]
        state.quarantine(copies[copies != keep], EXACT_DUPLICATE, related=int(keep))
        return
    settled = _settled_label(state, copies, config)
    if settled not in known and settled != UNLABELLED and config.relabel_by_votes:
        state.relabel(copies[:1], settled, CONFLICTING_LABEL)
        labels = state.label[copies]
    if settled not in labels:
        state.quarantine(copies, CONFLICTING_LABEL, suggested_label=settled)
        return
    keep = copies[np.argmax(labels == settled)]
    same = np.isin(labels, (settled, UNLABELLED)) & (copies != keep)
    state.quarantine(copies[same], EXACT_DUPLICATE, related=int(keep))
    other = (labels != settled) & (labels != UNLABELLED)
    state.quarantine(copies[other], CONFLICTING_LABEL, related=int(keep), suggested_label=settled)


def _settled_label(state: CleaningState, copies: Rows, config: CleaningConfig) -> int:
    """What a person or FER+ taggers say of images that contradict each other, or -1.

    Any majority settles it in favour of a label that one of them has; for another label it takes
    as many votes (of ten) as relabelling does.
    """
    wished = copies[state.exempt[copies]]
    if len(wished):
        return int(state.label[wished[0]])
    votes = state.votes(copies).sum(axis=0)
    most = votes.max()
    if most == 0 or (votes == most).sum() > 1:
        return UNLABELLED
    favoured = int(VOTE_TO_EXPRESSION.get(FerPlusVote(int(votes.argmax())), UNLABELLED))
    is_clear = 10 * most >= config.min_relabel_votes * votes.sum()
    is_there = favoured in state.label[copies]
    return favoured if is_there or is_clear else UNLABELLED


def _relabel_by_votes(state: CleaningState, config: CleaningConfig) -> None:
    rows = state.doubtful()
    votes = state.votes(rows)
    expression = np.array(
        [int(VOTE_TO_EXPRESSION.get(vote, UNLABELLED)) for vote in FerPlusVote], dtype=np.int64
    )
    most, favoured = votes.max(axis=1), expression[votes.argmax(axis=1)]
    is_alone = (votes == most[:, None]).sum(axis=1) == 1
    clear = is_alone & (most >= config.min_relabel_votes) & (favoured != UNLABELLED)
    contradicted = clear & (favoured != state.label[rows])
    given = np.take_along_axis(votes, _vote_of(state.label[rows])[:, None].clip(0), axis=1)[:, 0]
    share = given[contradicted] / votes[contradicted].sum(axis=1)
    state.relabel(rows[contradicted], favoured[contradicted], LABEL_ERROR, share)


def _vote_of(labels: Rows) -> Rows:
    """The FER+ column of each class number; -1 without a label."""
    column = {int(expression): int(vote) for vote, expression in VOTE_TO_EXPRESSION.items()}
    return np.array([column.get(label, -1) for label in labels.tolist()], dtype=np.int64)
