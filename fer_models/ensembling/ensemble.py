"""Ensembles of trained models, and selection of the candidate on the validation split."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.ensembling.config import EnsembleConfig
from fer_models.ensembling.weights import Floats, mix, mixture_weights
from fer_models.errors import DataError
from fer_models.evaluation import metrics
from fer_models.evaluation.predictions import (
    PROBABILITIES_FILE,
    Predictions,
    probabilities_bytes,
    read_predictions,
)
from fer_models.lineage import lineage
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import EnsembleRef, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

ENSEMBLE_FILE = "ensemble.json"
MEMBERS_FILE = "members.json"
LINEAGE_FILE = "lineage.json"
_LOWER_IS_BETTER = ("log_loss",)


@dataclass(frozen=True)
class _Member:
    model: ModelRef
    info: dict[str, Any]
    predictions: dict[str, Predictions]


@dataclass(frozen=True)
class _Candidate:
    model: ModelRef
    method: str | None
    parameters: int
    scores: dict[str, float]

    def rank(self, metric: str) -> tuple[float, bool, int, str]:
        """Sort key, best first; ties go to single models, then to fewer parameters."""
        score = self.scores[metric]
        loss = score if metric in _LOWER_IS_BETTER else -score
        return loss, self.method is not None, self.parameters, self.model.id


def ensemble_models(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    models: Sequence[ModelRef],
    config: EnsembleConfig,
) -> EnsembleRef:
    """Build the ensembles and select the candidate among them and their members.

    Only the validation split is used: the weights minimise its cross-entropy, and
    `config.choose_by` is measured on it. Ties go to a single model, then to fewer parameters.

    Raises:
        DataError: no models, duplicate models, models of another snapshot, or no validation
            images; lists all problems.
        StoreError: an artifact is missing or damaged.

    Example:
        ensemble = ensemble_models(store, snapshot, [first, second], EnsembleConfig())
        ensemble.candidate.id  # the best of both models and their ensembles
    """
    opened = open_snapshot(store, snapshot)
    members = _read_members(store, opened, models)
    candidates = [
        _Candidate(
            member.model,
            None,
            int(member.info["parameters"]),
            _scores(member.predictions["validation"]),
        )
        for member in members
    ]
    weights: dict[str, Floats] = {m: _weights(m, members) for m in config.methods}
    candidates += [
        _write_ensemble(store, opened, members, method, weights[method]) for method in weights
    ]
    chosen = min(candidates, key=lambda candidate: candidate.rank(config.choose_by))
    return _write_selection(store, snapshot, members, weights, candidates, chosen, config)


def _read_members(
    store: ArtifactStore, snapshot: DatasetSnapshot, models: Sequence[ModelRef]
) -> list[_Member]:
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
        try:
            predictions = read_predictions(store, snapshot, model)
        except DataError as error:
            problems.append(str(error))
        else:
            members.append(_Member(model, store.info(model), predictions))
    if problems:
        raise DataError("the models can't be combined", problems)
    return members


def _scores(predictions: Predictions) -> dict[str, float]:
    probs_NK, labels_N = predictions.probs_NK, predictions.labels
    return {
        "accuracy": metrics.accuracy(probs_NK, labels_N),
        "log_loss": metrics.log_loss(probs_NK, labels_N),
        "macro_f1": metrics.macro_f1(metrics.confusion_matrix(probs_NK, labels_N)),
    }


def _weights(method: str, members: Sequence[_Member]) -> Floats:
    if method == "soft_vote":
        return np.full(len(members), 1 / len(members))
    labels = members[0].predictions["validation"].labels
    rows = np.arange(len(labels))
    label_probs_NM = np.stack(
        [member.predictions["validation"].probs_NK[rows, labels] for member in members], axis=1
    )
    return mixture_weights(label_probs_NM)


def _write_ensemble(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    members: Sequence[_Member],
    method: str,
    weights: Floats,
) -> _Candidate:
    """Write one ensemble as a model, without members of weight 0: they would only cost time."""
    used = [(m, float(w)) for m, w in zip(members, weights, strict=True) if w > 0]
    mixed = {split: _mixed(used, split) for split in ("validation", "test")}
    scores = _scores(mixed["validation"])
    listing = [{"model_id": m.model.id, "name": m.model.name, "weight": w} for m, w in used]
    members_json = json_bytes(listing, sort_keys=False)
    seed = int(members[0].info["seed"])
    identity = b"\0".join([members_json, snapshot.ref.id.encode(), str(seed).encode()])
    name = f"ensemble-{method}"
    parameters = sum(int(m.info["parameters"]) for m, _ in used)
    info = {
        "name": name,
        "kind": "ensemble",
        "snapshot_id": snapshot.ref.id,
        "seed": seed,
        "parameters": parameters,
        "validation_accuracy": scores["accuracy"],
        "train_seconds": sum(float(m.info["train_seconds"]) for m, _ in used),
    }
    model = store.put(
        ModelRef,
        f"{name}-{hashlib.sha256(identity).hexdigest()[:12]}",
        {
            MEMBERS_FILE: members_json,
            PROBABILITIES_FILE: probabilities_bytes(
                mixed["validation"].probs_NK, mixed["test"].probs_NK
            ),
            LINEAGE_FILE: json_bytes(
                {**lineage(snapshot.ref.id, seed), "members": [m.model.id for m, _ in used]},
                sort_keys=False,
            ),
        },
        info,
        name=name,
        kind="ensemble",
    )
    return _Candidate(model, method, parameters, scores)


def _mixed(used: Sequence[tuple[_Member, float]], split: str) -> Predictions:
    first = used[0][0].predictions[split]
    stacked = np.stack([member.predictions[split].probs_NK for member, _ in used])
    probs_NK = mix(stacked, np.array([weight for _, weight in used]))
    # Scored as stored (float32), so that a later evaluation gives the same numbers.
    stored_NK = probs_NK.astype(np.float32).astype(np.float64)
    return Predictions(first.positions, first.labels, stored_NK)


def _write_selection(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    members: Sequence[_Member],
    weights: dict[str, Floats],
    candidates: Sequence[_Candidate],
    chosen: _Candidate,
    config: EnsembleConfig,
) -> EnsembleRef:
    ids = [member.model.id for member in members]
    content = {
        "snapshot_id": snapshot.id,
        "metric": config.choose_by,
        "methods": list(config.methods),
        "weights": {
            method: dict(zip(ids, (float(w) for w in values), strict=True))
            for method, values in weights.items()
        },
        "candidates": [
            {
                "model_id": candidate.model.id,
                "name": candidate.model.name,
                "kind": candidate.model.kind,
                "method": candidate.method,
                "parameters": candidate.parameters,
                "validation": candidate.scores,
            }
            for candidate in candidates
        ],
        "num_validation_images": len(members[0].predictions["validation"].labels),
        "chosen": chosen.model.id,
    }
    data = json_bytes(content, sort_keys=False)
    return store.put(
        EnsembleRef,
        hashlib.sha256(data).hexdigest()[:24],
        {ENSEMBLE_FILE: data},
        {"snapshot_id": snapshot.id, "candidate_id": chosen.model.id, "metric": config.choose_by},
        candidate=chosen.model,
        ensembles=tuple(c.model for c in candidates if c.method is not None),
    )
