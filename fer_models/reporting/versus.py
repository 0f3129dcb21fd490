"""The candidate against the champion before it: what each gets right that the other doesn't."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.errors import FerError
from fer_models.evaluation.predictions import (
    Predictions,
    final_fit_of,
    model_classes_of,
    model_ref,
    read_predictions,
    selected_model,
)
from fer_models.reporting.gallery import FaceImage, face_of
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

MAX_FACES = 10
_TRAIN, _VALIDATION = "train", "validation"

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Versus:
    """Two models on the same images; without a comparison, `missing` says why in a sentence.

    Attributes:
        champion_id, champion: the other model.
        n: compared images.
        seen: images that were left out, because the champion was trained on them.
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


def compare_with_champion(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    candidate: Predictions,
    split: str,
    champion_id: str | None,
) -> Versus | None:
    """Compare the candidate's answers on a split with the champion's.

    A champion of another dataset predicts the images now; those that it was trained on are left
    out. On validation images a final fit is represented by the model that it repeats, because it
    has learned from them. None if there was no champion.
    """
    if champion_id is None:
        return None
    try:
        champion = model_ref(store, champion_id)
        if split == _VALIDATION:
            champion = selected_model(store, champion)
        probs_NK = _probabilities(store, snapshot, champion, candidate, split)
        seen = _trained_on(store, snapshot, champion, candidate)
    except FerError as error:
        return Versus(champion_id, missing=f"The champion can't be compared: {error}.")
    if probs_NK is None:
        return Versus(champion_id, champion.name, missing="The champion has other classes.")
    return _compared(snapshot, candidate, champion, probs_NK, seen)


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
        return read_predictions(store, snapshot, champion, (split,))[split].probs_NK
    if model_classes_of(store, champion).names != snapshot.classes.names:
        return None
    from fer_models.training.predict import predict_model

    images = np.ascontiguousarray(snapshot.images[candidate.positions])
    return predict_model(store, champion, images)


def _trained_on(
    store: ArtifactStore, snapshot: DatasetSnapshot, champion: ModelRef, candidate: Predictions
) -> Mask:
    """Which images the champion was trained on, by their pixels; N bools.

    A final fit was trained on the validation images of its snapshot, too.
    """
    nothing: Mask = np.zeros(len(candidate.positions), dtype=np.bool_)
    ref = store.ref(SnapshotRef, str(store.info(champion).get("snapshot_id")))
    if ref.id == snapshot.ref.id or not store.exists(ref):
        return nothing
    other = open_snapshot(store, ref)
    splits = (_TRAIN,) if final_fit_of(store, champion) is None else (_TRAIN, _VALIDATION)
    positions = np.concatenate([other.positions(one) for one in splits])
    trained = set(other.manifest["pixel_sha256"].to_numpy()[positions])
    shas = snapshot.manifest["pixel_sha256"].to_numpy()[candidate.positions]
    return np.array([sha in trained for sha in shas], dtype=np.bool_)
