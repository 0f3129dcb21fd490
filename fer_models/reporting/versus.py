"""The candidate against the champion before it: what each gets right that the other doesn't."""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.errors import FerError
from fer_models.evaluation.cross_fitted import read_comparable
from fer_models.evaluation.predictions import (
    Predictions,
    model_classes_of,
    model_ref,
    selected_model,
)
from fer_models.evaluation.seen.images import seen_by_either
from fer_models.evaluation.seen.trainings import trainings_of
from fer_models.reporting.gallery import FaceImage, face_of
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore

MAX_FACES = 10
_VALIDATION = "validation"

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Versus:
    """Two models on the same images; without a comparison, `missing` says why in a sentence.

    Attributes:
        champion_id, champion: the other model.
        n: compared images.
        seen: images that were left out, because one of the two was trained on them or on near
            copies of them, and the other was not trained on the same images.
        unknown: sentences about training images of either that are not known.
        both, neither, only_candidate, only_champion: images that they classify correctly.
        won, lost: faces that only the candidate, only the champion classifies correctly.
    """

    champion_id: str
    champion: str = ""
    n: int = 0
    seen: int = 0
    both: int = 0
    neither: int = 0
    only_candidate: int = 0
    only_champion: int = 0
    won: list[FaceImage] = field(default_factory=list)
    lost: list[FaceImage] = field(default_factory=list)
    missing: str = ""
    unknown: tuple[str, ...] = ()


def compare_with_champion(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    candidate: ModelRef,
    split: str,
    champion_id: str | None,
) -> Versus | None:
    """Compare the candidate's answers on a split of its snapshot with the champion's.

    A champion of another dataset predicts the images now. Images that either was trained on are
    left out, unless both were trained on the same images; see `seen_by_either`. On validation
    images a final fit is represented by the model that it repeats, because it has learned from
    them, and an ensemble by the predictions of `read_comparable`. None if there was no champion.

    Raises:
        DataError: the candidate does not belong to the snapshot.
        StoreError: the candidate is missing or damaged.
    """
    if champion_id is None:
        return None
    answers = read_comparable(store, snapshot, candidate, (split,))[split]
    try:
        champion = model_ref(store, champion_id)
        if split == _VALIDATION:
            champion = selected_model(store, champion)
        probs_NK = _probabilities(store, snapshot, champion, answers, split)
        pair = trainings_of(store, candidate), trainings_of(store, champion)
        seen = seen_by_either(store, snapshot, pair, answers.positions, "report")
    except FerError as error:
        return Versus(champion_id, missing=f"The champion can't be compared: {error}.")
    if probs_NK is None:
        return Versus(champion_id, champion.name, missing="The champion has other classes.")
    if seen.all():
        why = f"All {len(seen):,} {split} images are training images of one of the two models."
        return Versus(champion_id, champion.name, missing=why)
    found = _compared(snapshot, answers, champion, probs_NK, seen)
    return replace(found, unknown=tuple(filter(None, (one.unknown for one in pair))))


def _compared(
    snapshot: DatasetSnapshot,
    candidate: Predictions,
    champion: ModelRef,
    probs_NK: npt.NDArray[np.floating],
    seen: Mask,
) -> Versus:
    ours, theirs = candidate.correct, probs_NK.argmax(axis=1) == candidate.labels
    kept = ~seen
    won = np.flatnonzero(kept & ours & ~theirs)
    lost = np.flatnonzero(kept & ~ours & theirs)
    confidence = candidate.probs_NK.max(axis=1)
    theirs_confidence = probs_NK.max(axis=1)
    names = snapshot.classes.names
    answers, champions = candidate.probs_NK.argmax(axis=1), probs_NK.argmax(axis=1)

    def faces(rows: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> list[FaceImage]:
        return [
            face_of(
                snapshot,
                int(candidate.positions[row]),
                names[candidate.labels[row]],
                f"not {names[other[row]]}",
            )
            for row in rows[:MAX_FACES]
        ]

    return Versus(
        champion_id=champion.id,
        champion=champion.name,
        n=int(kept.sum()),
        seen=int(seen.sum()),
        both=int((kept & ours & theirs).sum()),
        neither=int((kept & ~ours & ~theirs).sum()),
        only_candidate=len(won),
        only_champion=len(lost),
        won=faces(won[np.argsort(-confidence[won], kind="stable")], champions),
        lost=faces(lost[np.argsort(-theirs_confidence[lost], kind="stable")], answers),
    )


def _probabilities(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    champion: ModelRef,
    candidate: Predictions,
    split: str,
) -> npt.NDArray[np.floating] | None:
    """The champion's probabilities, N x K; None if it has other classes."""
    if store.info(champion).get("snapshot_id") == snapshot.ref.id:
        return read_comparable(store, snapshot, champion, (split,))[split].probs_NK
    if model_classes_of(store, champion).names != snapshot.classes.names:
        return None
    from fer_models.training.predict import predict_model

    images = np.ascontiguousarray(snapshot.images[candidate.positions])
    return predict_model(store, champion, images)
