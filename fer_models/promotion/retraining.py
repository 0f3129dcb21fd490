"""The decision to retrain: every criterion with its figure, whether it fired or not."""

from pydantic import BaseModel, ConfigDict

from fer_models.classes.class_list import ClassList
from fer_models.drift.results import Measure, read_measures
from fer_models.promotion.config import RetrainingConfig
from fer_models.promotion.criteria import (
    Criterion,
    age_criterion,
    champion_problem,
    damaged_criterion,
    force_criterion,
    no_champion_criterion,
    not_judged,
)
from fer_models.promotion.new_data import new_data_criterion
from fer_models.storage.champions import current_champion
from fer_models.storage.refs import DriftRef, ModelRef, PromotionRef, SnapshotRef
from fer_models.storage.registry import RegistryEntry
from fer_models.storage.store import ArtifactStore

DRIFT = "drift"


class RetrainingDecision(BaseModel):
    """Whether to retrain, and why or why not."""

    model_config = ConfigDict(frozen=True)
    retrain: bool
    reasons: tuple[str, ...]
    """The sentences of the criteria that fired."""
    seed_shift: int = 0
    """Added to the seed: the same data and seed would only reproduce the champion."""
    criteria: tuple[Criterion, ...] = ()
    """All criteria, in a fixed order."""


def retraining_decision(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    config: RetrainingConfig,
    now_s: float,
    drift: DriftRef | None = None,
) -> RetrainingDecision:
    """Decide whether the scheduled flow should retrain.

    Args:
        store: the store with the registry.
        snapshot: the current data, ready for training.
        config: the thresholds.
        now_s: the current time in seconds since the epoch.
        drift: drift of recent images, as `measure_drift` found it for the champion.

    Raises:
        StoreError: the registry or a snapshot can't be read.

    Example:
        decision = retraining_decision(store, snapshot, RetrainingConfig(), time.time())
        for criterion in decision.criteria:
            print(criterion.name, criterion.observed, criterion.threshold, criterion.outcome)
    """
    entry = current_champion(store, ClassList.from_info(store.info(snapshot)))
    problem = "" if entry is None else champion_problem(store, entry.model_id)
    data = new_data_criterion(store, _training_snapshot(store, entry, problem), snapshot, config)
    criteria = (
        no_champion_criterion(entry),
        damaged_criterion(entry, problem),
        data,
        age_criterion(entry, config, now_s),
        *_drift_criteria(store, entry, config, drift),
        force_criterion(config),
    )
    reasons = tuple(one.text for one in criteria if one.fired and not one.part_of)
    # Other data give other models; the same data need another seed.
    same_data = entry is not None and not data.fired
    shift = _seed_shift(store, entry) if entry is not None and reasons and same_data else 0
    return RetrainingDecision(
        retrain=bool(reasons), reasons=reasons, seed_shift=shift, criteria=criteria
    )


def _seed_shift(store: ArtifactStore, entry: RegistryEntry) -> int:
    """A number that every decision of the gate increases, so that each challenger is a new one.

    Those about other champions count, too: without them, the number could fall back to that of a
    challenger that was refused or promoted before.
    """
    return entry.number + len(store.list_ids(PromotionRef))


def _training_snapshot(
    store: ArtifactStore, entry: RegistryEntry | None, problem: str
) -> SnapshotRef | None:
    """The snapshot that the champion was trained on, if its artifact says so."""
    if entry is None or problem:
        return None
    info = store.info(store.ref(ModelRef, entry.model_id, name=entry.model_id))
    return store.ref(SnapshotRef, str(info.get("snapshot_id")))


def _drift_criteria(
    store: ArtifactStore,
    entry: RegistryEntry | None,
    config: RetrainingConfig,
    drift: DriftRef | None,
) -> list[Criterion]:
    """The verdict about drift, then each of its measures."""
    threshold = "a measure over its threshold"
    why = _why_no_drift(entry, config, drift)
    if drift is None or why:
        return [not_judged(DRIFT, threshold, why)]
    found = read_measures(store, drift)
    fired = [measure.name for measure in found if measure.fired]
    summary = Criterion(
        name=DRIFT,
        observed=f"{len(fired)} of {len(found)} measures",
        threshold=threshold,
        fired=drift.detected,
        text=f"{drift.num_images} recent images differ from the champion's data: "
        + ", ".join(fired)
        if fired
        else f"{drift.num_images} recent images look like the champion's data",
    )
    return [summary, *(_measure_criterion(measure) for measure in found)]


def _why_no_drift(
    entry: RegistryEntry | None, config: RetrainingConfig, drift: DriftRef | None
) -> str:
    """Why drift is not judged; empty if it is."""
    if not config.recent_images:
        return "switched off (retraining.recent_images is empty)"
    if entry is None:
        return "there is no champion to compare with"
    if drift is None:
        return "drift was not measured"
    if drift.champion_id != entry.model_id:
        return f"drift was measured for {drift.champion_id}, the champion is {entry.model_id}"
    if not drift.judged:
        return f"{drift.num_images} of {config.drift.min_images} images"
    return ""


def _measure_criterion(measure: Measure) -> Criterion:
    return Criterion(
        name=f"{DRIFT}: {measure.name}",
        observed=measure.observed,
        threshold=measure.threshold,
        fired=measure.fired,
        judged=measure.judged,
        text=measure.text,
        part_of=DRIFT,
    )
