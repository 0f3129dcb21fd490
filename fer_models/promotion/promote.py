"""The promotion gate."""

import hashlib
from typing import Any

from fer_models.classes.class_list import ClassList
from fer_models.dataset.snapshot import open_snapshot
from fer_models.evaluation.intervals import share_interval
from fer_models.promotion.config import PromotionConfig
from fer_models.promotion.gate.collect import collect_evidence
from fer_models.promotion.gate.decide import decide
from fer_models.promotion.gate.evidence import Evidence
from fer_models.promotion.gate.row import GateCriterion
from fer_models.storage.champions import champion_alias, current_champion, selection_model_id
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import ModelRef, PromotionRef, SnapshotRef, ValidationRef
from fer_models.storage.registry import Registry, RegistryEntry
from fer_models.storage.store import ArtifactStore

DECISION_FILE = "decision.json"
NO_CHAMPION = "none"


def promote_candidate(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    candidate: ModelRef,
    config: PromotionConfig,
    validation: ValidationRef | None = None,
) -> PromotionRef:
    """Judge the candidate on validation images, and promote it if it passes.

    The criteria are those of `fer_models.promotion.gate`. Images that the champion was trained on,
    and near copies of them, are left out of the comparison (it may come from another split of the
    same data). For the current champion, the decision that promoted it is returned: promoting twice
    changes nothing.

    Args:
        store: holds the models and the registry.
        snapshot: the candidate's snapshot; its classes say which champion it competes with.
        candidate: a network or an ensemble.
        config: the limits.
        validation: the data gate's verdict about the data, if it is known.

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
    if entry is not None and _is_champion(entry, candidate.id):
        return _existing_promotion(store, candidate, entry)
    evidence = collect_evidence(store, opened, candidate, entry, validation)
    decision = _decision_file(snapshot, candidate, entry, evidence, config)
    promotion = _write_decision(store, decision)
    if promotion.promoted:
        details = {
            "decision": promotion.id,
            "snapshot_id": snapshot.id,
            "classes": list(opened.classes.names),
        }
        # The decision is valid against that champion only: any other one means a lost race.
        registry.set(alias, promotion.candidate_id, promotion.reason, details, expected=entry)
    return promotion


def _is_champion(entry: RegistryEntry, model_id: str) -> bool:
    return model_id in (entry.model_id, selection_model_id(entry))


def gate_criteria(store: ArtifactStore, promotion: PromotionRef) -> tuple[GateCriterion, ...]:
    """The criteria of a stored decision; none for a champion that was set by hand.

    Raises:
        StoreError: the decision is missing or damaged.
    """
    rows = store.read_json(promotion, DECISION_FILE).get("criteria", [])
    return tuple(GateCriterion.model_validate(row) for row in rows)


def decision_basis(store: ArtifactStore, snapshot: SnapshotRef, candidate_id: str) -> str:
    """The id of the champion that the candidate is, or was, compared with; `none` without one.

    Part of the cache key of a promotion: promoting the candidate does not change it, a new
    champion does.
    """
    entry = current_champion(store, ClassList.from_info(store.info(snapshot)))
    if entry is None:
        return NO_CHAMPION
    if _is_champion(entry, candidate_id):
        return entry.previous_id or NO_CHAMPION
    return entry.model_id


def _existing_promotion(
    store: ArtifactStore, candidate: ModelRef, entry: RegistryEntry
) -> PromotionRef:
    """The promotion that made the candidate the champion; written now if it was set by hand."""
    decision_id = entry.details.get("decision")
    if decision_id is not None:
        ref = _promotion_ref(store, str(decision_id), candidate.id, None, "")
        if store.exists(ref):
            decision = store.read_json(ref, DECISION_FILE)
            return _promotion_ref(
                store, ref.id, candidate.id, decision["champion_id"], decision["reason"]
            )
    decision = {
        "promoted": True,
        "reason": f"already the champion: {entry.reason}",
        "snapshot_id": entry.details.get("snapshot_id"),
        "candidate_id": candidate.id,
        "champion_id": entry.previous_id,
        "registry_entry": entry.number,
    }
    return _write_decision(store, decision)


def _promotion_ref(
    store: ArtifactStore, promotion_id: str, candidate_id: str, champion_id: str | None, reason: str
) -> PromotionRef:
    return store.ref(
        PromotionRef,
        promotion_id,
        promoted=True,
        candidate_id=candidate_id,
        champion_id=champion_id,
        reason=reason,
    )


def _decision_file(
    snapshot: SnapshotRef,
    candidate: ModelRef,
    entry: RegistryEntry | None,
    evidence: Evidence,
    config: PromotionConfig,
) -> dict[str, Any]:
    decision = decide(evidence, config)
    correct, champion = evidence.correct, evidence.champion
    low, high = share_interval(correct, evidence.groups_N, 1 - config.level)
    comparison = decision.comparison(config.level)
    return {
        "promoted": decision.promoted,
        "reason": decision.reason,
        "criteria": [
            {**criterion.model_dump(mode="json"), "outcome": criterion.outcome}
            for criterion in decision.criteria
        ],
        "snapshot_id": snapshot.id,
        "candidate_id": candidate.id,
        "candidate_name": candidate.name,
        "champion_id": entry.model_id if entry else None,
        "compared_with": champion.model_id if champion else None,
        "n": len(correct),
        "candidate_accuracy": float(correct.mean()),
        "candidate_accuracy_low": low,
        "candidate_accuracy_high": high,
        "champion_accuracy": comparison["champion_accuracy"] if comparison else None,
        "comparison": comparison,
        "images_left_out": int((~champion.compared_N).sum()) if champion else 0,
        "settings": config.model_dump(mode="json"),
    }


def _write_decision(store: ArtifactStore, decision: dict[str, Any]) -> PromotionRef:
    data = json_bytes(decision, sort_keys=False)
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
