"""Drift of recent images against the current champion."""

from collections.abc import Sequence

from fer_models.dataset.image_format import recorded_format
from fer_models.drift.config import DriftConfig
from fer_models.drift.measure import measure_drift
from fer_models.drift.recent import read_recent
from fer_models.errors import StoreError
from fer_models.evaluation.predictions import model_ref
from fer_models.storage.refs import DriftRef, ModelRef, SnapshotRef
from fer_models.storage.registry import RegistryEntry
from fer_models.storage.store import ArtifactStore


def champion_drift(
    store: ArtifactStore,
    paths: Sequence[str],
    config: DriftConfig,
    seed: int,
    champion: RegistryEntry | None,
) -> DriftRef:
    """Read recent images and compare them with the champion's training data.

    Args:
        store: holds the registry, the champion and its snapshot.
        paths: pictures, folders, archives, tables and stored predictions, see `read_recent`.
        config: thresholds.
        seed: of the drawn images and of the permutations.
        champion: the registry's entry of the champion; None is an error.

    Raises:
        DataError: a path does not exist or has an unknown format.
        StoreError: there is no champion, or an artifact is missing or damaged.

    Example:
        drift = champion_drift(
            store, ["/data/last-week"], DriftConfig(), seed=0, champion=named_champion(store)
        )
        drift.detected
    """
    model, training = champion_with_snapshot(store, champion)
    recent = read_recent(paths, recorded_format(store.info(training)), store)
    return measure_drift(store, model, training, recent, config, seed)


def champion_with_snapshot(
    store: ArtifactStore, entry: RegistryEntry | None
) -> tuple[ModelRef, SnapshotRef]:
    """The champion, and the snapshot that it was trained on.

    Raises:
        StoreError: there is no champion, or one of the two is no longer in the store.
    """
    if entry is None:
        raise StoreError(
            f"{store.url}: there is no champion yet; run the pipeline, or check --store"
        )
    champion = model_ref(store, entry.model_id)
    training = store.ref(SnapshotRef, str(store.info(champion).get("snapshot_id")))
    if not store.exists(training):
        raise StoreError(
            f"{training.url}: the training data of the champion {champion.id} is not in the "
            "store; train and promote a model again"
        )
    return champion, training
