"""The criteria of the promotion gate as a table for Prefect's UI."""

import json

from fer_models.promotion.config import PromotionConfig
from fer_models.promotion.promote import DECISION_FILE, gate_criteria, promote_candidate
from fer_models.storage.refs import PromotionRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.tables import gate_rows
from tests.fer_models.builders import build_model, build_snapshot


def test_every_criterion_of_a_decision_is_a_row(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store, 140)
    model = build_model(store, snapshot, skill=-5.0)
    promotion = promote_candidate(store, snapshot, model, PromotionConfig())
    rows = gate_rows(gate_criteria(store, promotion))
    assert [row["criterion"] for row in rows] == [
        "accuracy",
        "class floor",
        "calibration",
        "data gate",
        "champion",
    ]
    accuracy = rows[0]
    assert (accuracy["limit"], accuracy["outcome"]) == ("at least 30 %", "failed")
    assert accuracy["finding"] in promotion.reason
    assert rows[-1]["outcome"] == "not judged"


def test_a_decision_without_criteria_has_no_rows(store: ArtifactStore) -> None:
    facts = {"promoted": True, "candidate_id": "a", "champion_id": None, "reason": "by hand"}
    files = {DECISION_FILE: json.dumps(facts).encode()}
    promotion = store.put(PromotionRef, "older", files, facts, **facts)
    assert gate_rows(gate_criteria(store, promotion)) == []
