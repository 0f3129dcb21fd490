"""What the weights of a stored model were trained on, as splits of snapshots."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from fer_models.errors import StoreError
from fer_models.evaluation.predictions import (
    AVERAGED,
    IMPORTED,
    final_fit_of,
    model_ref,
    networks_of,
)
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

TRAIN, VALIDATION = "train", "validation"
_LINEAGE_FILE = "lineage.json"
# Causes of a StoreError that say something about the model, and not about the store.
_SIGNS_OF_DAMAGE = (FileNotFoundError, ValueError)


class Training(NamedTuple):
    """Images that weights were trained on: the kept, labelled ones of some splits."""

    snapshot_id: str
    splits: tuple[str, ...]


@dataclass(frozen=True)
class Trainings:
    """All trainings of a model.

    Attributes:
        model_id: the model.
        found: the trainings that are known.
        missing: the ids of their snapshots that are not in the store, shortened and sorted.
        problem: why others are not known; "" if all are.
    """

    model_id: str
    found: frozenset[Training]
    missing: tuple[str, ...] = ()
    problem: str = ""

    @property
    def unknown(self) -> str:
        """A sentence if some training images are not known; "" if all are."""
        if self.problem:
            return f"training images of {self.model_id} are not known: {self.problem}"
        if self.missing:
            return (
                f"{self.model_id} was trained on snapshot {', '.join(self.missing)}, which is not "
                "in the store"
            )
        return ""

    def is_same(self, other: "Trainings") -> bool:
        """Whether both are known to have learned from the same images."""
        return self.found == other.found and not self.problem and not other.problem


def trainings_of(store: ArtifactStore, model: ModelRef) -> Trainings:
    """All that the weights of a model were trained on.

    That is the training of each network of an ensemble, of the networks that it started from, and
    of those that it is the mean of. A final fit has learned from the validation images, too. Of an
    imported network it is what its bundle says. Teachers don't count: all that a student gets of
    them are answers to its own training images. Pretrained weights don't count either.

    Raises:
        StoreError: the store can't be reached or read.

    Example:
        trainings_of(store, champion).found
        # {Training("4be1...", ("train",)), Training("77c0...", ("train", "validation"))}
    """
    found: set[Training] = set()
    pending, known, problem = [model.id], {model.id}, ""
    while pending:
        try:
            training, earlier = _step(store, model_ref(store, pending.pop()))
        except StoreError as error:
            if error.__cause__ is not None and not isinstance(error.__cause__, _SIGNS_OF_DAMAGE):
                raise
            problem = problem or error.message.splitlines()[0]
            continue
        found |= training
        pending += sorted(earlier - known)
        known |= earlier
    ids = {one.snapshot_id for one in found}
    missing = [one for one in ids if not store.exists(store.ref(SnapshotRef, one))]
    return Trainings(
        model.id, frozenset(found), tuple(sorted(one[:12] for one in missing)), problem
    )


def trained_snapshot(store: ArtifactStore, model: ModelRef) -> SnapshotRef:
    """The snapshot that a model was trained on last; it may not be in the store.

    Of an imported model it is that of its bundle. Its metadata names the one that it predicted.

    Raises:
        StoreError: the model is missing or damaged.
    """
    return store.ref(SnapshotRef, _snapshot_id(store, model, _lineage(store, model)))


def _step(store: ArtifactStore, model: ModelRef) -> tuple[set[Training], set[str]]:
    """The model's own training, and the ids of the networks that its weights come from."""
    networks = {network.id for network in networks_of(store, model)}
    if networks != {model.id}:
        return set(), networks
    lineage = store.read_json(model, _LINEAGE_FILE)
    splits = (TRAIN,) if final_fit_of(store, model) is None else (TRAIN, VALIDATION)
    earlier = {lineage.get("initial"), *lineage.get(AVERAGED, ())} - {None}
    return {Training(_snapshot_id(store, model, lineage), splits)}, earlier


def _snapshot_id(store: ArtifactStore, model: ModelRef, lineage: dict[str, Any]) -> str:
    return str(lineage.get(IMPORTED, store.info(model)).get("snapshot_id"))


def _lineage(store: ArtifactStore, model: ModelRef) -> dict[str, Any]:
    if _LINEAGE_FILE not in store.describe(model).files:
        return {}
    found: dict[str, Any] = store.read_json(model, _LINEAGE_FILE)
    return found
