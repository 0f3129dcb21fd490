"""Collect what the gate judges by from the store.

N validation images of the candidate's snapshot.
"""

import numpy as np

from fer_models.combination.stored import COMBINATION_FILE
from fer_models.dataset.config import NEAR_DUPLICATE_SIMILARITY
from fer_models.dataset.copies import Copies, find_copies
from fer_models.dataset.near_duplicates import find_near_duplicates
from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.errors import DataError
from fer_models.evaluation.cross_fitted import read_comparable
from fer_models.evaluation.metrics import probability_problems
from fer_models.evaluation.predictions import Predictions, model_ref, selected_model
from fer_models.evaluation.slices import CLASS_COLUMN, slice_properties
from fer_models.progress import report
from fer_models.promotion.criteria import champion_problem
from fer_models.promotion.gate.cost import model_cost
from fer_models.promotion.gate.evidence import (
    Bools,
    ChampionEvidence,
    DataGate,
    Evidence,
    ModelCost,
    NewerData,
)
from fer_models.promotion.new_data import data_change
from fer_models.storage.champions import selection_model_id
from fer_models.storage.refs import ModelRef, SnapshotRef, ValidationRef
from fer_models.storage.registry import RegistryEntry
from fer_models.storage.store import ArtifactStore

_MIN_COMPARED_IMAGES = 50
_VALIDATION = ("validation",)
_FIRST = "first champion"


def collect_evidence(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    candidate: ModelRef,
    entry: RegistryEntry | None,
    validation: ValidationRef | None = None,
) -> Evidence:
    """The candidate's predictions, and the champion's on the same images.

    Raises:
        DataError: the candidate does not belong to the snapshot, or there are no validation images.
        StoreError: an artifact is missing or damaged; a damaged champion is replaced instead.
    """
    predictions = read_comparable(store, snapshot, candidate, _VALIDATION)["validation"]
    if not len(predictions.labels):
        raise DataError(f"snapshot {snapshot.ref.id} has no validation images; split it first")
    copies = find_copies(store, snapshot)
    champion, problem = None, ""
    if entry is not None:
        selected_id = selection_model_id(entry)
        problem = champion_problem(store, entry.model_id) or champion_problem(store, selected_id)
        if not problem:
            selected = selected_model(store, model_ref(store, selected_id))
            champion = _champion(store, snapshot, candidate, selected, predictions, copies)
    return Evidence(
        labels_N=predictions.labels,
        probs_NK=predictions.probs_NK,
        groups_N=copies.group[predictions.positions],
        class_names=snapshot.classes.names,
        has_temperature=COMBINATION_FILE in store.describe(candidate).files,
        data_gate=_data_gate(store, snapshot.ref, validation),
        slices={} if champion is None else _slices(store, snapshot, predictions),
        champion=champion,
        no_champion=problem or _FIRST,
    )


def _champion(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    candidate: ModelRef,
    champion: ModelRef,
    predictions: Predictions,
    copies: Copies,
) -> ChampionEvidence:
    trained_on = store.ref(SnapshotRef, str(store.info(champion).get("snapshot_id")))
    compared = np.ones(len(predictions.labels), dtype=np.bool_)
    if trained_on.id == snapshot.ref.id:
        found = read_comparable(store, snapshot, champion, _VALIDATION)
        correct = found["validation"].correct
    else:
        correct = _predicted(store, snapshot, champion, predictions)
        # The candidate's own training images, too: only it would profit from these.
        seen = copies.near_training[predictions.positions] | _seen_in_training(
            store, snapshot, predictions, trained_on, copies
        )
        compared = _compared(seen)

    def costs() -> tuple[ModelCost, ModelCost]:
        return model_cost(store, candidate), model_cost(store, champion)

    return ChampionEvidence(
        model_id=champion.id,
        correct_N=correct,
        compared_N=compared,
        costs=costs,
        newer=lambda: _newer(store, trained_on, snapshot.ref),
    )


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


def _seen_in_training(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    predictions: Predictions,
    trained_on: SnapshotRef,
    copies: Copies,
) -> Bools:
    """Which validation images the champion was trained on, exactly or as near copies; N bools."""
    seen_N = np.zeros(len(predictions.positions), dtype=np.bool_)
    if not store.exists(trained_on):
        return seen_N
    theirs = open_snapshot(store, trained_on)
    train = theirs.positions("train")
    shas = theirs.manifest["pixel_sha256"].iloc[train]
    pixels = snapshot.manifest["pixel_sha256"]
    # Of those in both snapshots, the copies are known; only the others must be searched for.
    shared_groups = np.unique(copies.group[pixels.isin(set(shas)).to_numpy()])
    seen_N = np.isin(copies.group[predictions.positions], shared_groups)
    gone = train[~shas.isin(set(pixels)).to_numpy() & ~shas.duplicated().to_numpy()]
    rest = np.flatnonzero(~seen_N)
    if len(gone) and len(rest):
        images = np.concatenate(
            [theirs.thumbnails[gone], snapshot.thumbnails[predictions.positions[rest]]]
        )
        rows = np.arange(len(images))
        found = find_near_duplicates(
            images, rows[: len(gone)], rows[len(gone) :], NEAR_DUPLICATE_SIMILARITY, "promote"
        )
        of_training = found.originals < len(gone)
        seen_N[rest[found.copies[of_training] - len(gone)]] = True
    return seen_N


def _compared(seen_N: Bools) -> Bools:
    """With too few unseen images all are compared, in the champion's favour."""
    if (~seen_N).sum() < _MIN_COMPARED_IMAGES:
        return np.ones(len(seen_N), dtype=np.bool_)
    return ~seen_N


def _slices(
    store: ArtifactStore, snapshot: DatasetSnapshot, predictions: Predictions
) -> dict[str, Bools]:
    """Those of the evaluation, on the validation images; classes have a criterion of their own."""
    properties = slice_properties(store, snapshot, predictions.positions)
    return {
        f"{one.column} {name}": one.codes == number
        for one in properties
        if one.column != CLASS_COLUMN
        for number, name in enumerate(one.names)
    }


def _newer(store: ArtifactStore, trained_on: SnapshotRef, now: SnapshotRef) -> NewerData:
    if trained_on.id == now.id:
        return NewerData(False, "trained on the same data")
    if not store.exists(trained_on):
        return NewerData(False, "the champion's data is no longer in the store")
    change = data_change(store, trained_on, now)
    if not change.total:
        return NewerData(False, "trained on the same images and labels")
    return NewerData(True, f"trained on newer data ({change})")


def _data_gate(
    store: ArtifactStore, snapshot: SnapshotRef, validation: ValidationRef | None
) -> DataGate | None:
    """The verdict, if it is about this snapshot or one that it was derived from."""
    if validation is None:
        return None
    judged = store.info(validation).get("snapshot_id")
    current: str | None = snapshot.id
    while current is not None and current != judged:
        ref = store.ref(SnapshotRef, current)
        current = store.info(ref)["parent"] if store.exists(ref) else None
    return DataGate(validation.passed, validation.num_errors) if current is not None else None
