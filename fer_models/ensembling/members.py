"""The members of an ensemble, read from the store with their predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fer_models.combination.stored import StoredMember, weights_sha256
from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.errors import DataError
from fer_models.evaluation.predictions import Predictions, read_predictions
from fer_models.storage.refs import ENSEMBLE, ModelRef
from fer_models.storage.store import ArtifactStore


@dataclass(frozen=True)
class Member:
    """A stored network with its metadata and its predictions by split."""

    model: ModelRef
    info: dict[str, Any]
    predictions: dict[str, Predictions]
    weights_sha256: str

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return int(self.info["parameters"])

    def stored(self) -> StoredMember:
        """How an ensemble refers to it."""
        return StoredMember(
            model_id=self.model.id, name=self.model.name, weights_sha256=self.weights_sha256
        )


def read_members(
    store: ArtifactStore, snapshot: DatasetSnapshot, models: Sequence[ModelRef]
) -> list[Member]:
    """The members in the order of `models`.

    Raises:
        DataError: no models, duplicate models, ensembles, models of another snapshot, or no
            validation images; lists all problems.
        StoreError: a model is missing or damaged.
    """
    problems = []
    if not models:
        problems.append("expected at least one model, got none; train one first")
    ids = [model.id for model in models]
    problems += [f"{i} is given more than once" for i in sorted(set(ids)) if ids.count(i) > 1]
    if not len(snapshot.positions("validation")):
        problems.append(
            f"snapshot {snapshot.ref.id} has no validation images to select on; split it first"
        )
    members = []
    for model in models:
        if model.kind == ENSEMBLE:
            problems.append(f"{model.id} is an ensemble, not a network; pass its members instead")
            continue
        try:
            predictions = read_predictions(store, snapshot, model)
        except DataError as error:
            problems.append(str(error))
        else:
            sha = weights_sha256(store, model)
            members.append(Member(model, store.info(model), predictions, sha))
    if problems:
        raise DataError("the models can't be combined", problems)
    return members
