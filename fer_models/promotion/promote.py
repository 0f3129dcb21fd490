"""The promotion gate."""

import hashlib
from typing import Any

from fer_models.classes.class_list import ClassList
from fer_models.dataset.snapshot import open_snapshot
from fer_models.evaluation.intervals import share_interval
from fer_models.evaluation.predictions import final_fit_of
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
_SUMMARY = ("promoted", "candidate_id", "champion_id", "reason", "final_fit_id", "judged")


def promote_candidate(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    candidate: ModelRef,
    config: PromotionConfig,
    final: ModelRef | None = None,
    validation: ValidationRef | None = None,
) -> PromotionRef:
    """Judge the candidate on validation images, and promote it if it passes.

    The criteria are those of `fer_models.promotion.gate`. Images that either model was trained on,
    and near copies of them, are left out of the comparison, unless both were trained on the same
    images. For the current champion, the decision that promoted it is returned: promoting twice
    changes nothing. A champion that was set by hand has none; its criteria are not judged.

    Args:
        store: holds the models and the registry.
        snapshot: the candidate's snapshot; its classes say which champion it competes with.
        candidate: a network or an ensemble.
        config: the limits.
        final: a final fit of the candidate, which becomes the champion in its place. Comparisons
            still use the candidate, then and later, because the final fit has learned from the
            validation images.
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
    if entry is not None and is_champion(store, entry, candidate.id):
        if final is None or entry.model_id == final.id:
            return _existing_promotion(store, candidate, entry)
        decision = _final_fit_decision(snapshot, candidate, entry)
    else:
        evidence = collect_evidence(store, opened, candidate, entry, validation)
        decision = _decision_file(snapshot, candidate, entry, evidence, config)
    if final is not None and decision["promoted"]:
        decision["final_fit_id"] = final.id
    promotion = _write_decision(store, decision)
    if promotion.promoted:
        details = {
            "decision": promotion.id,
            "snapshot_id": snapshot.id,
            "classes": list(opened.classes.names),
            **({"selection_model_id": candidate.id} if final else {}),
        }
        # The decision is valid against that champion only: any other one means a lost race.
        promoted_id = final.id if final else candidate.id
        registry.set(alias, promoted_id, promotion.reason, details, expected=entry)
    return promotion


def passes_gate(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    candidate: ModelRef,
    config: PromotionConfig,
    validation: ValidationRef | None = None,
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
    evidence = collect_evidence(store, opened, candidate, entry, validation)
    return decide(evidence, config).promoted


def is_champion(store: ArtifactStore, entry: RegistryEntry, model_id: str) -> bool:
    """Whether a model is the champion of an entry, or the one that the champion repeats."""
    if model_id in (entry.model_id, selection_model_id(entry)):
        return True
    champion = store.ref(ModelRef, entry.model_id, name=entry.model_id)
    return store.exists(champion) and final_fit_of(store, champion) == model_id


def gate_criteria(store: ArtifactStore, promotion: PromotionRef) -> tuple[GateCriterion, ...]:
    """The criteria of a stored decision; none for a champion that was set by hand.

    Raises:
        StoreError: the decision is missing or damaged.
    """
    rows = store.read_json(promotion, DECISION_FILE).get("criteria", [])
    return tuple(GateCriterion.model_validate(row) for row in rows)


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
    """The registry entry of the champion that the candidate is, or was, compared with.

    Part of the cache key of a promotion: promoting the candidate does not change it, a new
    champion does, and so does the return of an earlier one. `none` without a champion.
    """
    alias = champion_alias(ClassList.from_info(store.info(snapshot)))
    entries = Registry(store).history(alias)
    if entries and is_champion(store, entries[-1], candidate_id):
        entries.pop()
    return str(entries[-1].number) if entries else NO_CHAMPION


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
    how = "by hand" if decision_id is None else "by a decision that is not stored any more"
    decision = {
        "promoted": True,
        "judged": False,
        "reason": f"the candidate is the champion already ({how}: {entry.reason}); criteria not "
        "judged",
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
        "notes": list(evidence.all_notes),
        "images_left_out": int((~champion.compared_N).sum()) if champion else 0,
        "settings": config.model_dump(mode="json"),
    }


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
        judged=decision.get("judged", True),
    )
