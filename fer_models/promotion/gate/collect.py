"""Collect what the gate judges by from the store.

N validation images of the candidate's snapshot.
"""

from fer_models.combination.stored import COMBINATION_FILE
from fer_models.dataset.copies import find_copies
from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.errors import DataError
from fer_models.evaluation.cross_fitted import read_comparable
from fer_models.evaluation.predictions import Predictions, model_ref, selected_model
from fer_models.evaluation.slices import CLASS_COLUMN, slice_properties
from fer_models.promotion.criteria import champion_problem
from fer_models.promotion.gate.champion import champion_evidence
from fer_models.promotion.gate.compared import learned_by_candidate, rule_note
from fer_models.promotion.gate.evidence import Bools, DataGate, Evidence
from fer_models.storage.champions import selection_model_id
from fer_models.storage.refs import ModelRef, SnapshotRef, ValidationRef
from fer_models.storage.registry import RegistryEntry
from fer_models.storage.store import ArtifactStore

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
    learned = learned_by_candidate(store, snapshot, candidate, predictions.positions)
    champion, problem = None, ""
    if entry is not None:
        selected_id = selection_model_id(entry)
        problem = champion_problem(store, entry.model_id) or champion_problem(store, selected_id)
        if not problem:
            selected = selected_model(store, model_ref(store, selected_id))
            champion = champion_evidence(store, snapshot, candidate, selected, predictions, learned)
    return Evidence(
        labels_N=predictions.labels,
        probs_NK=predictions.probs_NK,
        groups_N=find_copies(store, snapshot).group[predictions.positions],
        class_names=snapshot.classes.names,
        has_temperature=COMBINATION_FILE in store.describe(candidate).files,
        data_gate=_data_gate(store, snapshot.ref, validation),
        slices={} if champion is None else _slices(store, snapshot, predictions),
        champion=champion,
        no_champion=problem or _FIRST,
        notes=(*learned.notes(), *rule_note(store, candidate)),
    )


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
