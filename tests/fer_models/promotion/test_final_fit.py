"""A final fit as the champion: comparisons, retraining and warm starts use what it repeats."""

import json
import time

import pytest

from fer_models.dataset.snapshot import open_snapshot
from fer_models.evaluation.predictions import read_predictions
from fer_models.promotion.config import PromotionConfig, RetrainingConfig
from fer_models.promotion.criteria import champion_problem
from fer_models.promotion.promote import decision_basis, passes_gate, promote_candidate
from fer_models.promotion.retraining import retraining_decision
from fer_models.promotion.warm_start import warm_starts
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.registry import CHAMPION, Registry, RegistryEntry
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from tests.fer_models.builders import build_model
from tests.fer_models.final_fits import build_final_fit

CONFIG = PromotionConfig()


def champion_entry(store: ArtifactStore) -> RegistryEntry:
    entry = Registry(store).current(CHAMPION)
    assert entry is not None
    return entry


@pytest.fixture
def selected(store: ArtifactStore, snapshot: SnapshotRef) -> ModelRef:
    """The candidate whose final fit is the champion."""
    model = build_model(store, snapshot, "small", 2.0, 1)
    assert passes_gate(store, snapshot, model, CONFIG)
    promoted = promote_candidate(store, snapshot, model, CONFIG, build_final_fit(store, model))
    assert promoted.promoted
    return model


def test_the_entry_names_the_final_fit_and_what_it_repeats(
    store: ArtifactStore, snapshot: SnapshotRef, selected: ModelRef
) -> None:
    entry = champion_entry(store)
    assert entry.model_id == build_final_fit(store, selected).id
    assert entry.details["selection_model_id"] == selected.id
    assert len(Registry(store).history()) == 1


def test_promoting_again_changes_nothing(
    store: ArtifactStore, snapshot: SnapshotRef, selected: ModelRef
) -> None:
    final = build_final_fit(store, selected)
    basis = decision_basis(store, snapshot, selected.id)
    for given in (None, final):
        again = promote_candidate(store, snapshot, selected, CONFIG, given)
        assert again.promoted
        assert again.champion_now == again.final_fit_id == final.id
    assert len(Registry(store).history()) == 1
    assert basis == "none"


def test_a_later_candidate_is_compared_with_the_selected_model(
    store: ArtifactStore, snapshot: SnapshotRef, selected: ModelRef
) -> None:
    better = build_model(store, snapshot, "better", 4.0, 2)
    worse = build_model(store, snapshot, "worse", 0.5, 2)
    assert passes_gate(store, snapshot, better, CONFIG)
    assert not passes_gate(store, snapshot, worse, CONFIG)
    assert champion_entry(store).model_id != better.id
    promotion = promote_candidate(store, snapshot, better, CONFIG)
    opened = open_snapshot(store, snapshot)
    expected = read_predictions(store, opened, selected)["validation"].correct.mean()
    decision = store.read_json(promotion, "decision.json")
    assert decision["champion_accuracy"] == pytest.approx(expected)
    assert promotion.champion_id == build_final_fit(store, selected).id
    assert champion_entry(store).model_id == better.id
    assert "selection_model_id" not in champion_entry(store).details


def test_after_a_rollback_comparisons_still_use_the_selected_model(
    store: ArtifactStore, snapshot: SnapshotRef, selected: ModelRef
) -> None:
    """A rollback names a model and nothing else."""
    final = build_final_fit(store, selected)
    Registry(store).set(CHAMPION, final.id, "rolled back by hand")
    assert passes_gate(store, snapshot, build_model(store, snapshot, "better", 4.0, 2), CONFIG)
    assert promote_candidate(store, snapshot, selected, CONFIG).champion_now == final.id


def test_a_champion_gets_its_final_fit_later(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
) -> None:
    final = build_final_fit(store, champion)
    assert passes_gate(store, snapshot, champion, CONFIG)
    promotion = promote_candidate(store, snapshot, champion, CONFIG, final)
    assert (promotion.promoted, promotion.champion_now) == (True, final.id)
    assert f"final fit of the champion {champion.id}" in promotion.reason
    assert champion_entry(store).model_id == final.id
    assert champion_entry(store).previous_id == champion.id


def test_a_rejected_candidate_leaves_its_final_fit_unused(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
) -> None:
    worse = build_model(store, snapshot, "worse", 0.5, 2)
    promotion = promote_candidate(store, snapshot, worse, CONFIG, build_final_fit(store, worse))
    assert not promotion.promoted
    assert promotion.final_fit_id is None
    assert promotion.champion_now == champion_entry(store).model_id == champion.id


def test_a_final_fit_of_the_same_data_is_no_reason_to_retrain(
    store: ArtifactStore, snapshot: SnapshotRef, selected: ModelRef
) -> None:
    decision = retraining_decision(store, snapshot, RetrainingConfig(), time.time())
    assert not decision.retrain, decision.reasons


def test_a_champion_needs_the_model_that_it_repeats(
    store: ArtifactStore, snapshot: SnapshotRef, selected: ModelRef
) -> None:
    final_id = champion_entry(store).model_id
    assert champion_problem(store, final_id) == ""
    (store.local_root / "models" / selected.id / "lineage.json").write_text("{}")
    assert "is damaged" in champion_problem(store, final_id)


def test_members_start_from_networks_that_have_not_seen_validation_images(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    member = MemberConfig(name="small")
    opened = open_snapshot(store, snapshot)
    config = json.dumps({"name": "small", "network": member.network.model_dump()}).encode()
    first = store.put(
        ModelRef,
        "small-start",
        {
            "config.json": config,
            "preprocessing.json": json.dumps({"classes": list(opened.classes.names)}).encode(),
            "lineage.json": b"{}",
        },
        {"name": "small", "kind": "network", "snapshot_id": snapshot.id, "seed": 1},
        name="small",
    )
    final = store.put(
        ModelRef,
        "small-final-start",
        {"config.json": config, "preprocessing.json": store.read_file(first, "preprocessing.json")},
        {**store.info(first), "name": "small-final", "final_fit_of": first.id},
        name="small-final",
    )
    Registry(store).set(CHAMPION, final.id, "by a test")
    assert warm_starts(store, [member], snapshot) == {"small": first}
