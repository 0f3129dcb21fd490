"""Which validation images can compare a candidate with a champion, and what to know about them.

N validation images of the candidate's snapshot. Images that a model was trained on, or that its
rule was fitted to, flatter it; the same images must flatter both models, or neither.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fer_models.combination.stored import COMBINATION_FILE
from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.ensembling.config import UNFITTED_METHODS
from fer_models.evaluation.cross_fitted import CROSS_FITTED_FILE
from fer_models.evaluation.predictions import OUT_OF_FOLD_FILE, networks_of
from fer_models.evaluation.seen.images import seen_by_either, seen_with_near_copies
from fer_models.evaluation.seen.trainings import (
    TRAIN,
    VALIDATION,
    Training,
    Trainings,
    trained_snapshot,
    trainings_of,
)
from fer_models.promotion.gate.evidence import Bools, Ints
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore

_MIN_COMPARED_IMAGES = 50
_STAGE = "promote"
_MAY_HAVE_LEARNED = "so it may have learned from validation images"


@dataclass(frozen=True)
class Learned:
    """What a candidate learned of its N validation images in other trainings than its own.

    These are the trainings of the weights that it started from, or that a bundle names.
    """

    trainings: Trainings
    elsewhere_N: Bools

    def notes(self) -> Iterator[str]:
        """What a decision has to say about it."""
        model_id, number = self.trainings.model_id, int(self.elsewhere_N.sum())
        if number:
            yield (
                f"{model_id} was trained on {number:,} of the {len(self.elsewhere_N):,} validation "
                "images, so its accuracy on them may be too good"
            )
        if self.trainings.unknown:
            yield f"{self.trainings.unknown}, {_MAY_HAVE_LEARNED}"


@dataclass(frozen=True)
class ComparedImages:
    """The images that count in the comparison (N bools), and what the decision says about them."""

    rows_N: Bools
    notes: tuple[str, ...]


def learned_by_candidate(
    store: ArtifactStore, snapshot: DatasetSnapshot, candidate: ModelRef, positions: Ints
) -> Learned:
    """Find the images at N positions that a candidate's weights learned in other trainings.

    Near copies of images in its own training split are not among them.

    Raises:
        StoreError: a snapshot is damaged.
    """
    trainings, own = trainings_of(store, candidate), {Training(snapshot.ref.id, (TRAIN,))}
    found_N = seen_with_near_copies(store, snapshot, trainings.found - own, positions, _STAGE)
    if found_N.any():
        found_N &= ~seen_with_near_copies(store, snapshot, own, positions, _STAGE)
    return Learned(trainings, found_N)


def compared_images(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    learned: Learned,
    champion: ModelRef,
    fitted_N: Bools,
    positions: Ints,
) -> ComparedImages:
    """Choose the images that neither model was trained on or fitted to, if there are enough.

    With fewer than 50, the champion's are compared as well, in its favour. Those that the
    candidate learned in another training never are.

    Args:
        store: holds both models.
        snapshot: the candidate's.
        learned: what the candidate learned elsewhere.
        champion: the other model.
        fitted_N: images that only the champion's rule was fitted to.
        positions: of the N validation images.

    Raises:
        StoreError: a snapshot is damaged.
    """
    theirs = trainings_of(store, champion)
    pair = learned.trainings, theirs
    rows_N = ~seen_by_either(store, snapshot, pair, positions, _STAGE) & ~fitted_N
    notes = []
    if theirs.unknown:
        notes.append(f"{theirs.unknown}, {_MAY_HAVE_LEARNED}")
    if rows_N.sum() < min(_MIN_COMPARED_IMAGES, len(rows_N)):
        notes.append(
            f"only {int(rows_N.sum()):,} of the {len(rows_N):,} validation images are new to both "
            "models, so those that the champion has learned from are compared as well, in its "
            "favour"
        )
        rows_N = ~learned.elsewhere_N
    return ComparedImages(rows_N, tuple(notes))


def chosen_on(
    store: ArtifactStore, snapshot: DatasetSnapshot, model: ModelRef, positions: Ints
) -> Bools | None:
    """Which of N images the model's epoch, members and rule were chosen on, or near copies of them.

    These are the validation images of the snapshot that it was trained on; None if that one is not
    in the store.

    Raises:
        StoreError: a snapshot is damaged.
    """
    own = trained_snapshot(store, model)
    if own.id == snapshot.ref.id:
        return np.ones(len(positions), dtype=np.bool_)
    if not store.exists(own):
        return None
    validation = {Training(own.id, (VALIDATION,))}
    return seen_with_near_copies(store, snapshot, validation, positions, _STAGE)


def choice_note(ours_N: Bools | None, theirs_N: Bools | None, rows_N: Bools) -> Iterator[str]:
    """What the decision says if the models were chosen on different ones of the compared images."""
    if ours_N is None or theirs_N is None or not ((ours_N != theirs_N) & rows_N).any():
        return
    ours, theirs = int(ours_N[rows_N].sum()), int(theirs_N[rows_N].sum())
    yield (
        f"the candidate was chosen on {ours:,} of these images, the champion on {theirs:,}, which "
        f"favours the {'candidate' if ours > theirs else 'champion'} a little"
    )


def rule_note(store: ArtifactStore, model: ModelRef) -> Iterator[str]:
    """What the decision says of an ensemble whose rule was fitted to images that it is judged on.

    Such are imported ensembles, and those of earlier versions: they have no cross-fitted
    predictions.

    Raises:
        StoreError: the model is damaged.
    """
    files = store.describe(model).files
    if COMBINATION_FILE not in files or CROSS_FITTED_FILE in files:
        return
    if store.read_json(model, COMBINATION_FILE).get("method") in UNFITTED_METHODS:
        return
    networks = networks_of(store, model)
    if any(OUT_OF_FOLD_FILE not in store.describe(one).files for one in networks):
        yield (
            f"the rule of {model.id} was fitted to validation images, so its accuracy on them may "
            "be too good"
        )
