"""Lists of what a store holds: models and dataset snapshots, and which runs used them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from fer_models.dataset.snapshot import SPLITS
from fer_models.evaluation.results import TEST, VALIDATION
from fer_models.history.leaderboard import Accuracy
from fer_models.history.reading import infos, read_each
from fer_models.history.record import RunRecord
from fer_models.history.runs import list_runs
from fer_models.reporting.model_card.config import ModelCardConfig
from fer_models.storage.champions import all_champions
from fer_models.storage.refs import NETWORK, ArtifactRef, EvaluationRef, ModelRef, SnapshotRef
from fer_models.storage.registry import CHAMPION
from fer_models.storage.store import ARTIFACT_FILE, ArtifactStore

_CONFIG_FILE = "config.json"
PREVIOUS = "previous"


class StoredModel(BaseModel):
    """A trained network or an ensemble; `made_s` (seconds since the epoch) is None if unknown."""

    model_config = ConfigDict(frozen=True)
    id: str
    name: str
    kind: str
    network: str | None
    """Architecture; None for an ensemble."""
    parameters: int | None
    snapshot: str | None
    seed: int | None
    validation_accuracy: float | None
    validation: Accuracy | None
    """With its interval; None for a model that was not evaluated."""
    test: Accuracy | None
    """Likewise; None also without test images."""
    cross_validated_accuracy: float | None
    """Of an ensemble on validation images that its weights were not fitted on."""
    role: str
    """`champion`, `previous` (the champion before) or empty."""
    runs: tuple[str, ...]
    made_s: float | None


class StoredDataset(BaseModel):
    """A snapshot; counts are of images, `kept` without the quarantined ones."""

    model_config = ConfigDict(frozen=True)
    id: str
    step: str
    parent: str | None
    images: int
    kept: int
    classes: dict[str, int]
    """Kept images by class."""
    splits: dict[str, int]
    """Kept images by split."""
    reasons: dict[str, int]
    """Quarantined images by reason."""
    rejected: int
    """Rows and files without a usable image that ingest left out; 0 for later steps."""
    runs: tuple[str, ...]
    models: tuple[str, ...]
    made_s: float | None


def stored_models(store: ArtifactStore) -> tuple[list[StoredModel], list[str]]:
    """All models of a store, the newest first, and a warning for each damaged artifact.

    Raises:
        StoreError: the store can't be listed.

    Example:
        models, warnings = stored_models(store)
        [model.id for model in models if model.role == "champion"]
    """
    known, warnings = infos(store, ModelRef)
    networks = _networks(store, [m for m, info in known.items() if info.get("kind") == NETWORK])
    evaluations, more = evaluations_by_age(store)
    # Of several evaluations of a model, the newest counts.
    measured = {
        split: {
            info["model_id"]: Accuracy(**info[split])
            for info in evaluations.values()
            if split in info
        }
        for split in (VALIDATION, TEST)
    }
    runs, roles = list_runs(store).runs, _roles(store)
    found = [
        StoredModel(
            id=model_id,
            name=info.get("name", model_id),
            kind=info.get("kind", NETWORK),
            network=networks.get(model_id),
            parameters=info.get("parameters"),
            snapshot=info.get("snapshot_id"),
            seed=info.get("seed"),
            validation_accuracy=info.get("validation_accuracy"),
            validation=measured[VALIDATION].get(model_id),
            test=measured[TEST].get(model_id),
            cross_validated_accuracy=info.get("cross_validated_accuracy"),
            role=roles.get(model_id, ""),
            runs=_users(runs, model_id),
            made_s=_made_s(store, runs, ModelRef, model_id),
        )
        for model_id, info in known.items()
    ]
    return _newest_first(found), [*warnings, *more]


def evaluations_by_age(store: ArtifactStore) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The metadata of evaluations by id, the oldest first, and a warning for each damaged one.

    Raises:
        StoreError: the store can't be listed.
    """
    known, warnings = infos(store, EvaluationRef)
    times = store.written_times(EvaluationRef)
    ordered = sorted(known, key=lambda evaluation: times.get(evaluation, 0.0))
    return {evaluation: known[evaluation] for evaluation in ordered}, warnings


def stored_datasets(store: ArtifactStore) -> tuple[list[StoredDataset], list[str]]:
    """All snapshots of a store, the newest first, and a warning for each damaged artifact.

    Raises:
        StoreError: the store can't be listed.

    Example:
        datasets, warnings = stored_datasets(store)
        [(dataset.step, dataset.kept, dataset.runs) for dataset in datasets]
    """
    known, warnings = infos(store, SnapshotRef)
    models, more = infos(store, ModelRef)
    runs = list_runs(store).runs
    found = [
        StoredDataset(
            id=snapshot_id,
            step=info["step"],
            parent=info["parent"],
            images=info["num_images"],
            kept=info["kept"],
            classes=info["kept_class_counts"],
            splits=_ordered(info["split_counts"]),
            reasons=info["reasons"],
            rejected=info.get("rejected", 0),
            runs=_users(runs, snapshot_id),
            models=tuple(
                sorted(m for m, about in models.items() if about.get("snapshot_id") == snapshot_id)
            ),
            made_s=_made_s(store, runs, SnapshotRef, snapshot_id),
        )
        for snapshot_id, info in known.items()
    ]
    return _newest_first(found), [*warnings, *more]


def settings_of_model(store: ArtifactStore, model_id: str) -> dict[str, Any]:
    """The settings of the newest run that made or used a model; empty if no run did.

    Raises:
        StoreError: the store can't be listed.

    Example:
        settings_of_model(store, model.id).get("model_card", {})
    """
    runs = list_runs(store).runs
    return next((run.config for run in runs if model_id in _ids(run)), {})


def card_config_of_model(store: ArtifactStore, model_id: str) -> ModelCardConfig:
    """The texts for a model's card: those of the newest run that made or used it.

    Raises:
        StoreError: the store can't be listed.

    Example:
        texts = card_config_of_model(store, model.id)
        model_card(card_facts(store, model, EvaluationConfig()), texts)
    """
    given = settings_of_model(store, model_id).get("model_card", {})
    # A run of another version may have had other settings.
    texts = {name: given[name] for name in ModelCardConfig.model_fields if name in given}
    return ModelCardConfig.model_validate(texts)


def _newest_first(found: list[Any]) -> list[Any]:
    return sorted(found, key=lambda item: (-(item.made_s or 0.0), item.id))


def _networks(store: ArtifactStore, model_ids: Iterable[str]) -> dict[str, str]:
    """The architecture by model, of those whose configuration can be read."""

    def read(model_id: str) -> tuple[str, Any]:
        ref = store.ref(ModelRef, model_id, name=model_id)
        return model_id, json.loads(store.read_file(ref, _CONFIG_FILE))

    configs, _ = read_each(model_ids, read)
    return {
        model_id: config["network"]["name"]
        for model_id, config in configs
        if isinstance(config.get("network"), Mapping)
    }


def _roles(store: ArtifactStore) -> dict[str, str]:
    """The role of each current and previous champion, of every class list."""
    champions = all_champions(store).values()
    previous = {entry.previous_id: PREVIOUS for entry in champions if entry.previous_id}
    return {**previous, **{entry.model_id: CHAMPION for entry in champions}}


def _users(runs: Iterable[RunRecord], artifact_id: str) -> tuple[str, ...]:
    """The runs that made or used an artifact, the newest first."""
    return tuple(run.id for run in runs if artifact_id in _ids(run))


def _ids(run: RunRecord) -> set[str]:
    held = run.artifacts
    final = {held.final_fit} if held.final_fit else set()
    models = {*held.models.values(), *held.ensembles.values()}
    return {*held.snapshots.values(), *models, *final}


def _made_s(
    store: ArtifactStore,
    runs: Iterable[RunRecord],
    ref_type: type[ArtifactRef],
    artifact_id: str,
) -> float | None:
    """When an artifact was written: by its file, in a bucket by the first run that had it."""
    if store.is_local:
        path = store.local_root / ref_type.folder / artifact_id / ARTIFACT_FILE
        return path.stat().st_mtime if path.is_file() else None
    ends = [run.ended_s for run in runs if artifact_id in _ids(run) and run.ended_s is not None]
    return min(ends, default=None)


def _ordered(splits: Mapping[str, int]) -> dict[str, int]:
    """In the order train, validation, test, then others."""
    order = [*SPLITS, *(name for name in splits if name not in SPLITS)]
    return {name: splits[name] for name in order if name in splits}
