"""The promotion gate."""

import hashlib
from dataclasses import asdict
from typing import Any

import numpy as np

from fer_models.classes.class_list import ClassList
from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.errors import DataError
from fer_models.evaluation.metrics import probability_problems, wilson_interval
from fer_models.evaluation.predictions import (
    Predictions,
    model_ref,
    read_predictions,
    selected_model,
)
from fer_models.progress import report
from fer_models.promotion.compare import Bools, PairedComparison, compare_paired
from fer_models.promotion.config import PromotionConfig
from fer_models.storage.champions import champion_alias, current_champion
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import ModelRef, PromotionRef, SnapshotRef
from fer_models.storage.registry import Registry, RegistryEntry
from fer_models.storage.store import ArtifactStore

DECISION_FILE = "decision.json"
NO_CHAMPION = "none"
_CONFIDENCE = 0.95
_MIN_HELD_OUT_IMAGES = 50
_SUMMARY = ("promoted", "candidate_id", "champion_id", "reason", "final_fit_id")


def promote_candidate(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    candidate: ModelRef,
    config: PromotionConfig,
    final: ModelRef | None = None,
) -> PromotionRef:
    """Compare the candidate with the champion on validation images; promote it if it passes.

    The candidate needs `min_accuracy`, and on the same images at most `max_regression` less than
    the champion of the same classes. Images that the champion was trained on are excluded from
    that comparison (it may come from another split of the same data). For the current champion,
    the decision that promoted it is returned: promoting twice changes nothing.

    With a final fit of the candidate, that one becomes the champion. Comparisons still use the
    candidate, then and later, because the final fit has learned from the validation images.

    Raises:
        DataError: the candidate does not belong to the snapshot, or there are no validation images.
        LostRaceError: another run changed the champion during the comparison; it stays in place.
        StoreError: an artifact is missing or damaged.

    Example:
        promotion = promote_candidate(store, snapshot, ensemble.candidate, PromotionConfig())
        promotion.promoted, promotion.reason
    """
    registry, opened = Registry(store), open_snapshot(store, snapshot)
    alias = champion_alias(opened.classes)
    entry = registry.current(alias)
    if entry is not None and is_champion(store, entry, candidate.id):
        if final is None or entry.model_id == final.id:
            return _existing_promotion(store, candidate, entry)
        decision = _final_fit_decision(snapshot, candidate, entry)
    else:
        decision = _judge(store, opened, candidate, entry, config)
    if final is not None and decision["promoted"]:
        decision["final_fit_id"] = final.id
    promotion = _write_decision(store, decision)
    if promotion.promoted:
        # The decision is valid against that champion only: any other one means a lost race.
        registry.set(
            alias,
            final.id if final else candidate.id,
            promotion.reason,
            {
                "decision": promotion.id,
                "snapshot_id": snapshot.id,
                "classes": list(opened.classes.names),
                **({"selection_model_id": candidate.id} if final else {}),
            },
            expected=entry,
        )
    return promotion


def passes_gate(
    store: ArtifactStore, snapshot: SnapshotRef, candidate: ModelRef, config: PromotionConfig
) -> bool:
    """Whether `promote_candidate` would promote the candidate now, or has; nothing changes.

    Raises:
        DataError: the candidate does not belong to the snapshot, or there are no validation images.
        StoreError: an artifact is missing or damaged.
    """
    opened = open_snapshot(store, snapshot)
    entry = current_champion(store, opened.classes)
    if entry is not None and is_champion(store, entry, candidate.id):
        return True
    return bool(_judge(store, opened, candidate, entry, config)["promoted"])


def is_champion(store: ArtifactStore, entry: RegistryEntry, model_id: str) -> bool:
    """Whether a model is the champion of an entry, or the one that the champion repeats."""
    if model_id in (entry.model_id, entry.details.get("selection_model_id")):
        return True
    champion = store.ref(ModelRef, entry.model_id, name=entry.model_id)
    return store.exists(champion) and selected_model(store, champion).id == model_id


def _judge(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    candidate: ModelRef,
    entry: RegistryEntry | None,
    config: PromotionConfig,
) -> dict[str, Any]:
    predictions = read_predictions(store, snapshot, candidate)["validation"]
    if not len(predictions.labels):
        raise DataError(f"snapshot {snapshot.ref.id} has no validation images; split it first")
    comparison = None
    if entry is not None:
        champion = selected_model(store, model_ref(store, entry.model_id))
        comparison = _compare(store, snapshot, predictions, champion)
    return _decide(snapshot.ref, candidate, entry, predictions, comparison, config)


def _final_fit_decision(
    snapshot: SnapshotRef, candidate: ModelRef, entry: RegistryEntry
) -> dict[str, Any]:
    """The champion stays, trained on more images: there is nothing to compare."""
    return {
        "promoted": True,
        "reason": f"final fit of the champion {candidate.id}: {entry.reason}",
        "snapshot_id": snapshot.id,
        "candidate_id": candidate.id,
        "candidate_name": candidate.name,
        "champion_id": entry.model_id,
        "registry_entry": entry.number,
    }


def decision_basis(store: ArtifactStore, snapshot: SnapshotRef, candidate_id: str) -> str:
    """The id of the champion that the candidate is, or was, compared with; `none` without one.

    Part of the cache key of a promotion: promoting the candidate does not change it, a new
    champion does.
    """
    entry = current_champion(store, ClassList.from_info(store.info(snapshot)))
    if entry is None:
        return NO_CHAMPION
    if is_champion(store, entry, candidate_id):
        return entry.previous_id or NO_CHAMPION
    return entry.model_id


def _existing_promotion(
    store: ArtifactStore, candidate: ModelRef, entry: RegistryEntry
) -> PromotionRef:
    """The promotion that made the candidate the champion; written now if it was set by hand."""
    final_id = entry.model_id if entry.model_id != candidate.id else None
    decision_id = entry.details.get("decision")
    if decision_id is not None:
        ref = _promotion_ref(store, str(decision_id), candidate.id, None, "")
        if store.exists(ref):
            decision = store.read_json(ref, DECISION_FILE)
            return _promotion_ref(
                store, ref.id, candidate.id, decision["champion_id"], decision["reason"], final_id
            )
    decision = {
        "promoted": True,
        "reason": f"already the champion: {entry.reason}",
        "snapshot_id": entry.details.get("snapshot_id"),
        "candidate_id": candidate.id,
        "champion_id": entry.previous_id,
        "registry_entry": entry.number,
        **({"final_fit_id": final_id} if final_id else {}),
    }
    return _write_decision(store, decision)


def _promotion_ref(
    store: ArtifactStore,
    promotion_id: str,
    candidate_id: str,
    champion_id: str | None,
    reason: str,
    final_fit_id: str | None = None,
) -> PromotionRef:
    return store.ref(
        PromotionRef,
        promotion_id,
        promoted=True,
        candidate_id=candidate_id,
        champion_id=champion_id,
        reason=reason,
        final_fit_id=final_fit_id,
    )


def _compare(
    store: ArtifactStore, snapshot: DatasetSnapshot, candidate: Predictions, champion: ModelRef
) -> tuple[PairedComparison, int]:
    """The paired comparison, and how many training images of the champion it excludes."""
    info = store.info(champion)
    if info.get("snapshot_id") == snapshot.ref.id:
        champion_correct = read_predictions(store, snapshot, champion)["validation"].correct
        return compare_paired(candidate.correct, champion_correct), 0
    from fer_models.training.predict import predict_model

    images = np.ascontiguousarray(snapshot.images[candidate.positions])
    report("promote", 0, len(images), "images", f"predicting with the champion {champion.id}")
    probs_NK = predict_model(store, champion, images)
    problems = probability_problems(probs_NK, len(candidate.positions), len(snapshot.classes))
    if problems:
        raise DataError(f"champion {champion.id} did not predict probabilities", problems)
    champion_correct = probs_NK.argmax(axis=1) == candidate.labels
    held_out = ~_seen_in_training(store, snapshot, candidate, str(info.get("snapshot_id")))
    if held_out.sum() < _MIN_HELD_OUT_IMAGES:
        held_out[:] = True  # too few for a comparison: use all, in the champion's favour
    return (
        compare_paired(candidate.correct[held_out], champion_correct[held_out]),
        int((~held_out).sum()),
    )


def _seen_in_training(
    store: ArtifactStore, snapshot: DatasetSnapshot, candidate: Predictions, snapshot_id: str
) -> Bools:
    """Which validation images the champion was trained on, by pixel hash; N bools."""
    ref = store.ref(SnapshotRef, snapshot_id)
    if not store.exists(ref):
        return np.zeros(len(candidate.positions), dtype=np.bool_)
    champions = open_snapshot(store, ref)
    trained_on = set(champions.manifest["pixel_sha256"].to_numpy()[champions.positions("train")])
    shas = snapshot.manifest["pixel_sha256"].to_numpy()[candidate.positions]
    return np.array([sha in trained_on for sha in shas], dtype=np.bool_)


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
            f"validation accuracy {_percent(accuracy)} is below min_accuracy "
            f"{_percent(config.min_accuracy)}"
        )
    if compared is None:
        if problems:
            return False, "; ".join(problems)
        return True, (
            f"first champion: validation accuracy {_percent(accuracy)} reaches "
            f"min_accuracy {_percent(config.min_accuracy)}"
        )
    versus = (
        f"{_percent(compared.candidate_accuracy)} against the champion's "
        f"{_percent(compared.champion_accuracy)} on the same {compared.n} validation images "
        f"(McNemar p = {compared.p_value:.3g})"
    )
    # Compared as counts of images, so that rounding decides no tie.
    lost = compared.only_champion_correct - compared.only_candidate_correct
    if lost > config.max_regression * compared.n:
        problems.append(
            f"{versus}: more than max_regression {_percent(config.max_regression)} below"
        )
    return not problems, "; ".join(problems) or f"{versus}: within max_regression"


def _percent(share: float) -> str:
    """A share (0..1) in percent; two decimals tell apart accuracies that differ by few images."""
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + " %"


def _write_decision(store: ArtifactStore, decision: dict[str, Any]) -> PromotionRef:
    data = json_bytes(decision, sort_keys=False)
    return store.put(
        PromotionRef,
        hashlib.sha256(data).hexdigest()[:24],
        {DECISION_FILE: data},
        {key: decision[key] for key in _SUMMARY if key in decision},
        promoted=decision["promoted"],
        candidate_id=decision["candidate_id"],
        champion_id=decision["champion_id"],
        reason=decision["reason"],
        final_fit_id=decision.get("final_fit_id"),
    )
