"""The champion's answers on the candidate's validation images, and how its data changed since.

N validation images of the candidate's snapshot.
"""

import numpy as np

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.errors import DataError
from fer_models.evaluation.cross_fitted import CROSS_FITTED_FILE, read_comparable
from fer_models.evaluation.metrics import probability_problems
from fer_models.evaluation.predictions import Predictions
from fer_models.evaluation.seen.trainings import VALIDATION, trained_snapshot
from fer_models.progress import report
from fer_models.promotion.gate.compared import (
    Learned,
    choice_note,
    chosen_on,
    compared_images,
    rule_note,
)
from fer_models.promotion.gate.cost import model_cost
from fer_models.promotion.gate.evidence import Bools, ChampionEvidence, Ints, ModelCost, NewerData
from fer_models.promotion.new_data import data_change
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

_PIXELS = "pixel_sha256"


def champion_evidence(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    candidate: ModelRef,
    champion: ModelRef,
    predictions: Predictions,
    learned: Learned,
) -> ChampionEvidence:
    """What the gate needs to know of the champion.

    Args:
        store: holds both models.
        snapshot: the candidate's.
        candidate: the other model.
        champion: the model that was selected, if it is a final fit.
        predictions: the candidate's, of the N images.
        learned: what the candidate learned of them elsewhere.

    Raises:
        DataError: the champion did not predict probabilities.
        StoreError: an artifact is missing or damaged.
    """
    positions = predictions.positions
    ours_N, theirs_N = (
        chosen_on(store, snapshot, model, positions) for model in (candidate, champion)
    )
    correct_N, fitted_N = _answers(store, snapshot, champion, predictions, theirs_N)
    compared = compared_images(store, snapshot, learned, champion, fitted_N, positions)
    rows_N = compared.rows_N

    def costs() -> tuple[ModelCost, ModelCost]:
        return model_cost(store, candidate), model_cost(store, champion)

    return ChampionEvidence(
        model_id=champion.id,
        correct_N=correct_N,
        compared_N=rows_N,
        notes=(
            *compared.notes,
            *choice_note(ours_N, theirs_N, rows_N),
            *rule_note(store, champion),
        ),
        costs=costs,
        newer=lambda: _newer(store, champion, candidate),
    )


def _answers(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    champion: ModelRef,
    predictions: Predictions,
    chosen_on_N: Bools | None,
) -> tuple[Bools, Bools]:
    """Which images the champion classifies correctly, and which only its rule was fitted to.

    Images that the rule of an ensemble was fitted to in another snapshot are judged by its
    cross-fitted predictions. Near copies of such images have none: the rule was fitted to them.
    """
    predicted_for = store.ref(SnapshotRef, str(store.info(champion).get("snapshot_id")))
    nothing_N = np.zeros(len(predictions.labels), dtype=np.bool_)
    if predicted_for.id == snapshot.ref.id:
        found = read_comparable(store, snapshot, champion, (VALIDATION,))
        return found[VALIDATION].correct, nothing_N
    correct_N = _predicted(store, snapshot, champion, predictions)
    if chosen_on_N is None or CROSS_FITTED_FILE not in store.describe(champion).files:
        return correct_N, nothing_N
    theirs = open_snapshot(store, predicted_for)
    rows_N = _rows_of(theirs, snapshot, predictions)
    cross_fitted = read_comparable(store, theirs, champion, (VALIDATION,))[VALIDATION]
    known_N = rows_N >= 0
    answers = cross_fitted.probs_NK.argmax(axis=1)
    correct_N[known_N] = answers[rows_N[known_N]] == predictions.labels[known_N]
    return correct_N, chosen_on_N & ~known_N


def _rows_of(theirs: DatasetSnapshot, snapshot: DatasetSnapshot, predictions: Predictions) -> Ints:
    """For each of N images the row of the same pixels in the other validation split, or -1."""
    shas = theirs.manifest[_PIXELS].to_numpy()[theirs.positions(VALIDATION)]
    rows = {sha: row for row, sha in enumerate(shas)}
    wanted = snapshot.manifest[_PIXELS].to_numpy()[predictions.positions]
    return np.array([rows.get(sha, -1) for sha in wanted], dtype=np.int64)


def _predicted(
    store: ArtifactStore, snapshot: DatasetSnapshot, champion: ModelRef, predictions: Predictions
) -> Bools:
    from fer_models.training.predict import predict_model

    images = np.ascontiguousarray(snapshot.images[predictions.positions])
    report("promote", 0, len(images), "images", f"predicting with the champion {champion.id}")
    probs_NK = predict_model(store, champion, images)
    problems = probability_problems(probs_NK, len(images), len(snapshot.classes))
    if problems:
        raise DataError(f"champion {champion.id} did not predict probabilities", problems)
    correct: Bools = probs_NK.argmax(axis=1) == predictions.labels
    return correct


def _newer(store: ArtifactStore, champion: ModelRef, candidate: ModelRef) -> NewerData:
    before, now = (trained_snapshot(store, model) for model in (champion, candidate))
    if before.id == now.id:
        return NewerData(False, "trained on the same data")
    gone = [
        name for name, ref in (("champion", before), ("candidate", now)) if not store.exists(ref)
    ]
    if gone:
        return NewerData(False, f"the {gone[0]}'s data is not in the store")
    change = data_change(store, before, now)
    if not change.total:
        return NewerData(False, "trained on the same images and labels")
    return NewerData(True, f"trained on newer data ({change})")
