"""The rules of cleaning: which training images are quarantined, and why.

Rules run in order; each sees only what the previous ones kept. They change training images only
(including images without a split, from which training images are drawn). Evaluation splits are
reported on, never modified.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.classes.class_list import ClassList
from fer_models.cleaning.config import CleaningConfig
from fer_models.cleaning.state import (
    BLANK,
    CONFLICTING_LABEL,
    EXACT_DUPLICATE,
    LEAK,
    NEAR_DUPLICATE,
    CleaningState,
    Rows,
)
from fer_models.dataset.image_stats import grey_sums
from fer_models.dataset.near_duplicates import find_near_duplicates
from fer_models.dataset.snapshot import LABEL_ERROR, NOT_A_FACE
from fer_models.labels import UNLABELLED, FerPlusVote
from fer_models.progress import report

_HELD_OUT = ("validation", "test")


def apply_rules(state: CleaningState, config: CleaningConfig) -> None:
    """Apply the rules of the policy in order, each to what the previous ones kept."""
    if config.policy == "off":
        return
    rules = (
        quarantine_blank,
        quarantine_leaks,
        quarantine_exact_duplicates,
        quarantine_near_duplicates,
        quarantine_non_faces,
        quarantine_label_errors,
    )
    for number, rule in enumerate(rules):
        name = rule.__name__.removeprefix("quarantine_").replace("_", " ")
        report("clean", number, len(rules), "rules", name)
        rule(state, config)
    report("clean", len(rules), len(rules), "rules")


def quarantine_blank(state: CleaningState, config: CleaningConfig) -> None:
    """Images without contrast: grey-value deviation below `min_std`."""
    rows = state.candidates()
    deviation = grey_sums(state.images).std_of_variance[rows]
    blank = deviation < config.min_std
    state.quarantine(rows[blank], BLANK, deviation[blank] / max(config.min_std, 1e-9))


def quarantine_leaks(state: CleaningState, config: CleaningConfig) -> None:
    """Training images with the pixels of a held-out image; people can't keep these."""
    del config
    rows, held = state.rows("train"), state.rows(*_HELD_OUT)
    pixels = state.manifest["pixel_sha256"].to_numpy()
    row_of = dict(zip(pixels[held[::-1]], held[::-1].tolist(), strict=True))
    original = np.array([row_of.get(sha, -1) for sha in pixels[rows]], dtype=np.int64)
    leaks = original >= 0
    state.quarantine(rows[leaks], LEAK, related=original[leaks])


def quarantine_exact_duplicates(state: CleaningState, config: CleaningConfig) -> None:
    """Exact copies: one is kept, or none if its label is unclear."""
    for copies in _groups_of_copies(state):
        _decide_copies(state, copies, config)


def quarantine_near_duplicates(state: CleaningState, config: CleaningConfig) -> None:
    """Training images that show the same picture as a held-out or an earlier training image."""
    found = find_near_duplicates(
        state.images,
        state.rows(*_HELD_OUT),
        state.rows("train"),
        config.near_duplicate_min_similarity,
        cache=state.similarities,
    )
    removed = ~state.exempt[found.copies]
    evidence = (1.0 - found.similarity) / max(1.0 - config.near_duplicate_min_similarity, 1e-9)
    state.quarantine(
        found.copies[removed], NEAR_DUPLICATE, evidence[removed], found.originals[removed]
    )


def quarantine_non_faces(state: CleaningState, config: CleaningConfig) -> None:
    """Images with enough FER+ votes for 'not a face'; without votes, with a low face score."""
    rows = state.doubtful()
    votes = state.votes(rows)
    not_face, num_votes = votes[:, FerPlusVote.NF], votes.sum(axis=1)
    voted = not_face >= config.min_not_face_votes
    state.quarantine(rows[voted], NOT_A_FACE, 1.0 - not_face[voted] / num_votes[voted])
    face_score = state.score("face_score")
    if face_score is None:
        return
    # Votes of ten people outweigh the score.
    unlike = ~voted & (num_votes == 0) & (face_score[rows] < config.face_score_limit)
    state.quarantine(rows[unlike], NOT_A_FACE, face_score[rows[unlike]])


def quarantine_label_errors(state: CleaningState, config: CleaningConfig) -> None:
    """Labels with a low out-of-fold quality; relabels by FER+ votes first, if configured."""
    if config.relabel_by_votes:
        _relabel_by_votes(state, config)
    is_issue, quality = state.score("is_label_issue"), state.score("label_quality")
    if is_issue is None or quality is None:
        return
    rows = state.doubtful()
    wrong = quality[rows] <= config.label_quality_limit
    if config.quarantines_label_issues:
        wrong |= is_issue[rows] > 0
    # Excludes images relabelled since they were scored, and unlabelled ones.
    wrong &= state.label[rows] == state.manifest["label"].to_numpy(dtype=np.int64)[rows]
    wrong &= state.label[rows] != UNLABELLED
    state.quarantine(rows[wrong], LABEL_ERROR, quality[rows[wrong]])


def _groups_of_copies(state: CleaningState) -> Iterator[Rows]:
    rows = state.rows("train")
    pixels = state.manifest["pixel_sha256"].iloc[rows]
    repeated = pixels.duplicated(keep=False).to_numpy()
    groups = pd.Series(rows[repeated]).groupby(pixels.to_numpy()[repeated], sort=False)
    for _, group in groups:
        yield group.to_numpy(dtype=np.int64)


def _decide_copies(state: CleaningState, copies: Rows, config: CleaningConfig) -> None:
    """Quarantine all copies of one image but the one to keep, if there is one."""
    labels = state.label[copies]
    known = np.unique(labels[labels != UNLABELLED])
    if len(known) < 2:
        _keep_one_of(state, copies, labels != UNLABELLED)
        return
    settled = _settled_label(state, copies, config)
    if settled not in known and settled != UNLABELLED and config.relabel_by_votes:
        state.relabel(copies[:1], settled, CONFLICTING_LABEL)
        labels = state.label[copies]
    if settled not in labels:
        rejected = copies[~state.exempt[copies]]
        state.quarantine(rejected, CONFLICTING_LABEL, suggested_label=settled)
        return
    same = np.isin(labels, (settled, UNLABELLED))
    keep = _keep_one_of(state, copies[same], labels[same] == settled)
    state.quarantine(copies[~same], CONFLICTING_LABEL, related=keep, suggested_label=settled)


def _keep_one_of(state: CleaningState, copies: Rows, is_preferred: npt.NDArray[np.bool_]) -> int:
    """Quarantine the others as exact copies of the one to keep, and return its row.

    That is the first preferred one, of those that a person keeps if there are any. Without any of
    these, a copy that a person keeps stays beside it.
    """
    exempt = state.exempt[copies]
    position = int(np.argmax(2 * is_preferred + exempt))
    is_other = np.arange(len(copies)) != position
    if not exempt[position]:
        is_other &= ~exempt
    keep = int(copies[position])
    state.quarantine(copies[is_other], EXACT_DUPLICATE, related=keep)
    return keep


def _settled_label(state: CleaningState, copies: Rows, config: CleaningConfig) -> int:
    """Label of copies with conflicting labels, by a person or by FER+ votes; -1 if undecided.

    A relative majority is enough for a label that one of the copies has. Another label needs as
    large a share of the votes as relabelling does.
    """
    by_person = state.label[copies[state.exempt[copies]]]
    by_person = by_person[by_person != UNLABELLED]
    if len(by_person):
        return int(by_person[0])
    votes = state.votes(copies).sum(axis=0)
    most = votes.max()
    if most == 0 or (votes == most).sum() > 1:
        return UNLABELLED
    favoured = int(state.classes.vote_classes()[votes.argmax()])
    is_clear = 10 * most >= config.min_relabel_votes * votes.sum()
    is_present = favoured in state.label[copies]
    return favoured if is_present or is_clear else UNLABELLED


def _relabel_by_votes(state: CleaningState, config: CleaningConfig) -> None:
    """Relabel images where enough votes agree on one other class; ties never relabel."""
    rows = state.candidates()
    votes = state.votes(rows)
    most, favoured = votes.max(axis=1), state.classes.vote_classes()[votes.argmax(axis=1)]
    is_unique = (votes == most[:, None]).sum(axis=1) == 1
    clear = is_unique & (most >= config.min_relabel_votes) & (favoured != UNLABELLED)
    contradicted = clear & (favoured != state.label[rows])
    given = _votes_for(votes, state.label[rows], state.classes)
    share = given[contradicted] / votes[contradicted].sum(axis=1)
    state.relabel(rows[contradicted], favoured[contradicted], LABEL_ERROR, share)


def _votes_for(votes: Rows, labels: Rows, classes: ClassList) -> Rows:
    """How many votes each image has for its own label; 0 without a label."""
    of_label = classes.vote_classes()[None, :] == labels[:, None]
    counts: Rows = (votes * (of_label & (labels != UNLABELLED)[:, None])).sum(axis=1)
    return counts
