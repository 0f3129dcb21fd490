"""An ensemble as a model in the store, like any other."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_models.combination.stored import Combination, combination_files
from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.ensembling.config import METRICS
from fer_models.ensembling.fitting.methods import restricted, used_members
from fer_models.ensembling.members import Member
from fer_models.ensembling.scores import Floats, score
from fer_models.evaluation.cross_fitted import CROSS_FITTED_FILE, cross_fitted_bytes
from fer_models.evaluation.predictions import PROBABILITIES_FILE, Predictions, probabilities_bytes
from fer_models.lineage import lineage
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import ENSEMBLE, ModelRef
from fer_models.storage.store import ArtifactStore

LINEAGE_FILE = "lineage.json"
_DECIMALS = 6
_SPLITS = ("validation", "test")


@dataclass(frozen=True)
class WrittenEnsemble:
    """An ensemble in the store.

    Attributes:
        model: its reference.
        combination: how it predicts, for its used members alone.
        members: the members that it uses.
        validation: its scores on the validation images.
    """

    model: ModelRef
    combination: Combination
    members: tuple[Member, ...]
    validation: dict[str, float]


def write_ensemble(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    members: Sequence[Member],
    fitted: Combination,
    cross_validated_accuracy: float,
    cross_fitted_NK: Floats | None = None,
) -> WrittenEnsemble:
    """Write an ensemble, without members of weight 0: they would only cost time.

    `cross_fitted_NK` are the probabilities that it is compared with other models by, if its rule
    was fitted to the validation images; see `read_comparable`.
    """
    used = tuple(members[number] for number in used_members(fitted.rule))
    combination = fitted.model_copy(update={"rule": restricted(fitted.rule)})
    files = combination_files(combination, [member.stored() for member in used])
    seed = int(used[0].info["seed"])
    identity = b"\0".join([*files.values(), snapshot.ref.id.encode(), str(seed).encode()])
    name = f"ensemble-{combination.method}"
    probabilities = {s: combined_probabilities(combination, used, s) for s in _SPLITS}
    validation = scores_of(probabilities["validation"], used[0].predictions["validation"])
    model = store.put(
        ModelRef,
        f"{name}-{hashlib.sha256(identity).hexdigest()[:12]}",
        {
            **files,
            PROBABILITIES_FILE: probabilities_bytes(**probabilities),
            **_cross_fitted(cross_fitted_NK),
            LINEAGE_FILE: _lineage(snapshot, seed, used),
        },
        {
            "name": name,
            "kind": ENSEMBLE,
            "snapshot_id": snapshot.ref.id,
            "seed": seed,
            "validation_accuracy": validation["accuracy"],
            "cross_validated_accuracy": cross_validated_accuracy,
            **_totals(used),
        },
        name=name,
        kind=ENSEMBLE,
    )
    return WrittenEnsemble(model, combination, used, validation)


def _cross_fitted(cross_fitted_NK: Floats | None) -> dict[str, bytes]:
    return (
        {} if cross_fitted_NK is None else {CROSS_FITTED_FILE: cross_fitted_bytes(cross_fitted_NK)}
    )


def _lineage(snapshot: DatasetSnapshot, seed: int, members: Sequence[Member]) -> bytes:
    ids = [member.model.id for member in members]
    return json_bytes({**lineage(snapshot.ref.id, seed), "members": ids}, sort_keys=False)


def _totals(members: Sequence[Member]) -> dict[str, Any]:
    return {
        "parameters": sum(member.parameters for member in members),
        "train_seconds": sum(float(member.info["train_seconds"]) for member in members),
    }


def combined_probabilities(combination: Combination, members: Sequence[Member], split: str) -> Any:
    """The ensemble's probabilities from the stored ones of its members, float32 N x K."""
    return combination.predict(np.stack([m.predictions[split].probs_NK for m in members]))


def scores_of(probs_NK: Floats, predictions: Predictions) -> dict[str, float]:
    """The scores by metric, of probabilities for the images of `predictions`; rounded."""
    probs = probs_NK.astype(np.float64)
    return {m: round(score(m, probs, predictions.labels), _DECIMALS) for m in METRICS}
