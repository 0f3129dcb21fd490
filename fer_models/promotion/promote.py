"""The promotion gate, and the decision to train again."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.errors import DataError, StoreError
from fer_models.evaluation.metrics import probability_problems, wilson_interval
from fer_models.evaluation.predictions import Predictions, model_ref, read_predictions
from fer_models.progress import report
from fer_models.promotion.compare import Bools, PairedComparison, compare_paired
from fer_models.promotion.config import PromotionConfig, RetrainingConfig
from fer_models.storage.refs import ModelRef, PromotionRef, SnapshotRef
from fer_models.storage.registry import CHAMPION, Registry, RegistryEntry
from fer_models.storage.store import ArtifactStore

DECISION_FILE = "decision.json"
NO_CHAMPION = "none"
_CONFIDENCE = 0.95
_MIN_UNSEEN_IMAGES = 50
_SECONDS_A_DAY = 86_400


class RetrainingDecision(BaseModel):
    """Whether to train again, and every reason for it."""

    model_config = ConfigDict(frozen=True)
    retrain: bool
    reasons: tuple[str, ...]
    seed_shift: int = 0
    """To add to the seed: the same data and seed would only give the same champion again."""


def promote_candidate(
    store: ArtifactStore, snapshot: SnapshotRef, candidate: ModelRef, config: PromotionConfig
) -> PromotionRef:
    """Decide on validation images whether the candidate becomes the champion, and make it so.

    The candidate needs `min_accuracy`, and on the same images at most `max_regression` less than
    the champion. Images that the champion was trained on are left out of that comparison (it may
    come from another split of the same data). A candidate that is the champion already gets the
    decision that made it so: asking twice changes nothing.

    Raises:
        DataError: the candidate does not belong to the snapshot, or there's no validation image.
        StoreError: an artifact is absent or damaged, or another run changed the champion meanwhile.
    """
    registry = Registry(store)
    entry = registry.current(CHAMPION)
    if entry is not None and entry.model_id == candidate.id:
        return _graphed(store, candidate, entry)
    opened = open_snapshot(store, snapshot)
    predictions = read_predictions(store, opened, candidate)["validation"]
    if not len(predictions.labels):
        raise DataError(f"snapshot {snapshot.id} has no validation image; split it first")
    comparison = None
    if entry is not None:
        comparison = _compare(store, opened, predictions, model_ref(store, entry.model_id))
    decision = _decide(snapshot, candidate, entry, predictions, comparison, config)
    promotion = _write_decision(store, decision)
    if promotion.promoted:
        _set_champion(registry, entry, promotion, snapshot)
    return promotion


def decision_basis(store: ArtifactStore, candidate_id: str) -> str:
    """The id of the champion that the candidate is, or was, compared with; `none` without one.

    It belongs into the cache key of a promotion: it stays the same when the candidate was
    promoted, and changes when another model became the champion.
    """
    entry = Registry(store).current(CHAMPION)
    if entry is None:
        return NO_CHAMPION
    if entry.model_id == candidate_id:
        return entry.previous_id or NO_CHAMPION
    return entry.model_id


def retraining_decision(
    store: ArtifactStore, snapshot: SnapshotRef, config: RetrainingConfig, now_s: float
) -> RetrainingDecision:
    """Decide whether the scheduled flow should train, with every reason that holds.

    Args:
        store: holds the registry.
        snapshot: the data as it is now, ready for training.
        config: the limits.
        now_s: seconds since the epoch.
    """
    reasons = ["training was asked for in any case (force)"] if config.force else []
    entry = Registry(store).current(CHAMPION)
    if entry is None:
        reasons.append("there is no champion yet")
        return RetrainingDecision(retrain=True, reasons=tuple(reasons))
    age_days = (now_s - entry.time_s) / _SECONDS_A_DAY
    if age_days > config.max_age_days:
        reasons.append(
            f"the champion is {age_days:.1f} days old, more than {config.max_age_days:g}"
        )
    if not store.exists(_bare_model(store, entry.model_id)):
        reasons.append(f"the champion's artifact {entry.model_id} is gone from the store")
    elif config.on_new_data:
        seen = store.info(_bare_model(store, entry.model_id)).get("snapshot_id")
        if seen != snapshot.id:
            reasons.append(
                f"the data changed: the champion saw snapshot {str(seen)[:12]}, "
                f"now it is {snapshot.id[:12]}"
            )
            return RetrainingDecision(retrain=True, reasons=tuple(reasons))
    shift = entry.number if reasons else 0
    return RetrainingDecision(retrain=bool(reasons), reasons=tuple(reasons), seed_shift=shift)


def _bare_model(store: ArtifactStore, model_id: str) -> ModelRef:
    return ModelRef(id=model_id, url=f"{store.url}/{ModelRef.folder}/{model_id}", name=model_id)


def _graphed(store: ArtifactStore, candidate: ModelRef, entry: RegistryEntry) -> PromotionRef:
    """The promotion that made the candidate the champion; one is written if a person did."""
    decision_id = entry.details.get("decision")
    if decision_id is not None:
        bare = _promotion_ref(store, str(decision_id), candidate.id, None, "")
        if store.exists(bare):
            decision = store.read_json(bare, DECISION_FILE)
            return _promotion_ref(
                store, bare.id, candidate.id, decision["champion_id"], decision["reason"]
            )
    decision = {
        "promoted": True,
        "reason": f"it is the champion already: {entry.reason}",
        "snapshot_id": entry.details.get("snapshot_id"),
        "candidate_id": candidate.id,
        "champion_id": entry.previous_id,
        "registry_entry": entry.number,
    }
    return _write_decision(store, decision)


def _promotion_ref(
    store: ArtifactStore, promotion_id: str, candidate_id: str, champion_id: str | None, reason: str
) -> PromotionRef:
    return PromotionRef(
        id=promotion_id,
        url=f"{store.url}/{PromotionRef.folder}/{promotion_id}",
        promoted=True,
        candidate_id=candidate_id,
        champion_id=champion_id,
        reason=reason,
    )


def _compare(
    store: ArtifactStore, snapshot: DatasetSnapshot, candidate: Predictions, champion: ModelRef
) -> tuple[PairedComparison, int]:
    """The paired comparison, and how many images were left out as the champion's training data."""
    info = store.info(champion)
    if info.get("snapshot_id") == snapshot.ref.id:
        champion_correct = read_predictions(store, snapshot, champion)["validation"].correct
        return compare_paired(candidate.correct, champion_correct), 0
    from fer_models.training.predict import predict_model

    images = np.ascontiguousarray(snapshot.images[candidate.positions])
    report("promote", 0, len(images), "images", f"running the champion {champion.id}")
    probs_NK = predict_model(store, champion, images)
    problems = probability_problems(probs_NK, len(candidate.positions))
    if problems:
        raise DataError(f"the champion {champion.id} gave no probabilities", problems)
    champion_correct = probs_NK.argmax(axis=1) == candidate.labels
    unseen = ~_seen_in_training(store, snapshot, candidate, str(info.get("snapshot_id")))
    if unseen.sum() < _MIN_UNSEEN_IMAGES:
        unseen[:] = True  # too few to judge by: better all, in the champion's favour
    return (
        compare_paired(candidate.correct[unseen], champion_correct[unseen]),
        int((~unseen).sum()),
    )


def _seen_in_training(
    store: ArtifactStore, snapshot: DatasetSnapshot, candidate: Predictions, snapshot_id: str
) -> Bools:
    """Which validation images the champion was trained on, by their pixels; N bools."""
    ref = SnapshotRef(id=snapshot_id, url=f"{store.url}/{SnapshotRef.folder}/{snapshot_id}")
    if not store.exists(ref):
        return np.zeros(len(candidate.positions), dtype=np.bool_)
    theirs = open_snapshot(store, ref)
    trained = set(theirs.manifest["pixel_sha256"].to_numpy()[theirs.positions("train")])
    shas = snapshot.manifest["pixel_sha256"].to_numpy()[candidate.positions]
    return np.array([sha in trained for sha in shas], dtype=np.bool_)


def _decide(
    snapshot: SnapshotRef,
    candidate: ModelRef,
    entry: RegistryEntry | None,
    predictions: Predictions,
    compared: tuple[PairedComparison, int] | None,
    config: PromotionConfig,
) -> dict[str, Any]:
    correct = predictions.correct
    accuracy = float(correct.mean())
    promoted, reason = _verdict(accuracy, compared[0] if compared else None, config)
    low, high = wilson_interval(int(correct.sum()), len(correct), _CONFIDENCE)
    return {
        "promoted": promoted,
        "reason": reason,
        "snapshot_id": snapshot.id,
        "candidate_id": candidate.id,
        "candidate_name": candidate.name,
        "champion_id": entry.model_id if entry else None,
        "n": len(correct),
        "candidate_accuracy": accuracy,
        "candidate_accuracy_low": low,
        "candidate_accuracy_high": high,
        "champion_accuracy": compared[0].champion_accuracy if compared else None,
        "comparison": asdict(compared[0]) if compared else None,
        "images_left_out": compared[1] if compared else 0,
        "min_accuracy": config.min_accuracy,
        "max_regression": config.max_regression,
    }


def _verdict(
    accuracy: float, compared: PairedComparison | None, config: PromotionConfig
) -> tuple[bool, str]:
    problems = []
    if accuracy < config.min_accuracy:
        problems.append(
            f"validation accuracy {accuracy:.4f} is below min_accuracy {config.min_accuracy:g}"
        )
    if compared is None:
        if problems:
            return False, "; ".join(problems)
        return True, (
            f"first champion: validation accuracy {accuracy:.4f} reaches "
            f"min_accuracy {config.min_accuracy:g}"
        )
    versus = (
        f"{compared.candidate_accuracy:.4f} against the champion's "
        f"{compared.champion_accuracy:.4f} on the same {compared.n} validation images "
        f"(McNemar p = {compared.p_value:.3g})"
    )
    # Compared in images, so that no rounding decides a tie.
    lost = compared.only_champion_correct - compared.only_candidate_correct
    if lost > config.max_regression * compared.n:
        problems.append(f"{versus}: more than max_regression {config.max_regression:g} below")
    return not problems, "; ".join(problems) or f"{versus}: within max_regression"


def _write_decision(store: ArtifactStore, decision: dict[str, Any]) -> PromotionRef:
    data = json.dumps(decision, indent=1, allow_nan=False).encode()
    return store.put(
        PromotionRef,
        hashlib.sha256(data).hexdigest()[:24],
        {DECISION_FILE: data},
        {key: decision[key] for key in ("promoted", "candidate_id", "champion_id", "reason")},
        promoted=decision["promoted"],
        candidate_id=decision["candidate_id"],
        champion_id=decision["champion_id"],
        reason=decision["reason"],
    )


def _set_champion(
    registry: Registry,
    compared_with: RegistryEntry | None,
    promotion: PromotionRef,
    snapshot: SnapshotRef,
) -> None:
    current = registry.current(CHAMPION)
    if (current and current.number) != (compared_with and compared_with.number):
        raise StoreError(
            f"another run changed the champion while {promotion.candidate_id} was compared with "
            f"the one before; promote it again"
        )
    registry.set(
        CHAMPION,
        promotion.candidate_id,
        promotion.reason,
        {"decision": promotion.id, "snapshot_id": snapshot.id},
    )
