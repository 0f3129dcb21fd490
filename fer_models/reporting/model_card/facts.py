"""The facts of a model card, read from the store."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fer_models.dataset.snapshot import open_snapshot
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import measure_model
from fer_models.evaluation.predictions import (
    AVERAGED,
    IMPORTED,
    final_fit_of,
    model_preprocessing,
    networks_of,
    selected_model,
)
from fer_models.evaluation.results import ModelMetrics
from fer_models.lineage import machine_text
from fer_models.storage.refs import ENSEMBLE, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

_CLASS = "class"
_CONFIG_FILE = "config.json"
_LINEAGE_FILE = "lineage.json"


@dataclass(frozen=True)
class CardFacts:
    """What the store knows of a model; counts are of images."""

    model_id: str
    name: str
    is_ensemble: bool
    networks: tuple[str, ...]
    parameters: int
    image_size_px: int
    in_channels: int
    classes: tuple[str, ...]
    seed: int | None
    train_seconds: float | None
    machine: str
    ferflow: str
    revision: str
    snapshot_id: str
    """Of the data that it was evaluated on, and trained on unless it was imported."""
    imported: Mapping[str, Any]
    """Of a model that was trained on other data: what its bundle says; empty for others."""
    averaged: tuple[str, ...]
    """The networks of whose weights it is the mean; empty for others."""
    final_fit_of: str
    """The model that a final fit repeats on training and validation images; "" for any other."""
    sources: tuple[str, ...]
    num_images: int
    quarantined: int
    class_counts: dict[str, int]
    """Kept images by class."""
    split_counts: dict[str, int]
    """Kept images by split."""
    metrics: ModelMetrics | None
    """None if the dataset is not in the store any more. Of a final fit without test images those of
    the model that it repeats."""
    slice_names: tuple[str, ...]
    """What accuracy was measured by, besides the expression."""
    confidence_text: str


def card_facts(
    store: ArtifactStore,
    model: ModelRef,
    evaluation: EvaluationConfig,
    metrics: ModelMetrics | None = None,
) -> CardFacts:
    """Read the facts of a stored network or ensemble.

    Args:
        store: holds the model, and its dataset.
        model: the model.
        evaluation: how it is measured.
        metrics: its metrics; measured here if they are not given and the dataset is stored.

    Raises:
        StoreError: the model is missing or damaged.
    """
    info, preprocessing = store.info(model), model_preprocessing(store, model)
    lineage = store.read_json(model, _LINEAGE_FILE)
    snapshot = store.ref(SnapshotRef, str(info["snapshot_id"]))
    data: Mapping[str, Any] = {}
    if store.exists(snapshot):
        data = store.info(snapshot)
        opened = open_snapshot(store, snapshot)
        has_test = len(opened.positions("test")) > 0
        measured = model if has_test else selected_model(store, model)
        metrics = metrics or measure_model(store, opened, measured, evaluation)
    return CardFacts(
        model_id=model.id,
        name=model.name,
        is_ensemble=model.kind == ENSEMBLE,
        networks=_networks(store, model),
        parameters=int(info["parameters"]),
        image_size_px=int(preprocessing["image_size_px"]),
        in_channels=int(preprocessing["in_channels"]),
        classes=tuple(preprocessing["classes"]),
        seed=info.get("seed"),
        train_seconds=info.get("train_seconds"),
        machine=machine_text(lineage.get("machine") or {})
        or str(lineage.get(IMPORTED, {}).get("machine", "")),
        ferflow=lineage.get("ferflow") or "",
        revision=(lineage.get("code") or {}).get("revision") or "",
        snapshot_id=snapshot.id,
        imported=_imported(lineage, snapshot),
        averaged=tuple(lineage.get(AVERAGED, ())),
        final_fit_of=final_fit_of(store, model) or "",
        sources=_sources(store, snapshot),
        num_images=data.get("num_images", 0),
        quarantined=data.get("quarantined", 0),
        class_counts=_in_order(data.get("kept_class_counts", {}), preprocessing["classes"]),
        split_counts=data.get("split_counts", {}),
        metrics=metrics,
        slice_names=_slice_names(metrics),
        confidence_text=f"{round(100 * evaluation.confidence, 1):g}",
    )


def _imported(lineage: Mapping[str, Any], snapshot: SnapshotRef) -> Mapping[str, Any]:
    bundle: Mapping[str, Any] = lineage.get(IMPORTED, {})
    return bundle if bundle.get("snapshot_id") != snapshot.id else {}


def _slice_names(metrics: ModelMetrics | None) -> tuple[str, ...]:
    columns = metrics.slices if metrics else ()
    return tuple(one.column.replace("_", " ") for one in columns if one.column != _CLASS)


def _networks(store: ArtifactStore, model: ModelRef) -> tuple[str, ...]:
    """The architectures, one for each member."""
    return tuple(_network(store, network) for network in networks_of(store, model))


def _network(store: ArtifactStore, model: ModelRef) -> str:
    network = store.read_json(model, _CONFIG_FILE).get("network") or {}
    return str(network.get("name") or model.name)


def _sources(store: ArtifactStore, snapshot: SnapshotRef) -> tuple[str, ...]:
    """The sources that the first ancestor of a snapshot was read from."""
    current: str | None = snapshot.id
    while current is not None:
        ref = store.ref(SnapshotRef, current)
        if not store.exists(ref):
            return ()
        info = store.info(ref)
        if info.get("sources"):
            return tuple(str(source) for source in info["sources"])
        current = info.get("parent")
    return ()


def _in_order(counts: Mapping[str, int], names: list[str]) -> dict[str, int]:
    return {name: counts[name] for name in names if name in counts}
