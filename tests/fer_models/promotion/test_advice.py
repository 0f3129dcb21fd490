"""Settings that the gate and the retraining check name: following them changes the verdict."""

import numpy as np

from fer_models.drift.results import RESULT_FILE
from fer_models.promotion.criteria import Criterion
from fer_models.promotion.gate.decide import decide
from fer_models.promotion.gate.row import GateCriterion
from fer_models.promotion.retraining import retraining_decision
from fer_models.storage.refs import DriftRef, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from flows.pipeline_config import PipelineConfig
from flows.recipes import load_config
from tests.benchmarks.bench_promotion import evidence_of
from tests.fer_models.builders import build_snapshot


def newer_data(config: PipelineConfig) -> GateCriterion:
    """The gate's row about newer data, of a candidate as good as the champion."""
    candidate, champion = np.ones(3000, dtype=bool), np.ones(3000, dtype=bool)
    candidate[:100], champion[50:150] = False, False
    evidence = evidence_of(np.arange(3000) % 7, candidate, champion, newer=True)
    criteria = decide(evidence, config.promotion).criteria
    [found] = [one for one in criteria if one.name == "newer data"]
    return found


def test_newer_data_is_judged_with_the_setting_that_switched_it_off() -> None:
    row = newer_data(load_config("demo", ["promotion.prefer_newer=false"]))
    assert not row.judged
    assert "promotion.prefer_newer" in row.text
    row = newer_data(load_config("demo", ["promotion.prefer_newer=true"]))
    assert row.judged
    assert row.passed


def criterion(
    store: ArtifactStore, name: str, setting: str, now: SnapshotRef, drift: DriftRef | None = None
) -> Criterion:
    """What the retraining check says about a criterion, 3 s after the epoch."""
    config = load_config("demo", [setting]).retraining
    criteria = retraining_decision(store, now, config, 3.0, drift).criteria
    [found] = [one for one in criteria if one.name == name]
    return found


def test_new_data_are_judged_with_the_setting_that_switched_them_off(
    store: ArtifactStore, champion: ModelRef
) -> None:
    now = build_snapshot(store, seed=4)
    off = criterion(store, "new data", "retraining.on_new_data=false", now)
    assert not off.judged
    assert "retraining.on_new_data" in off.text
    on = criterion(store, "new data", "retraining.on_new_data=true", now)
    assert on.judged
    assert on.fired


def test_drift_is_judged_once_recent_images_are_named(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
) -> None:
    facts = {"champion_id": champion.id, "num_images": 500, "judged": True, "detected": True}
    files = {RESULT_FILE: b'{"measures": []}'}
    drift = store.put(DriftRef, "drift-1", files, {}, report_url="", **facts)
    off = criterion(store, "drift", "retraining.recent_images=[]", snapshot, drift)
    assert not off.judged
    assert "retraining.recent_images is empty" in off.text
    on = criterion(store, "drift", "retraining.recent_images=[/faces]", snapshot, drift)
    assert on.judged
    assert on.fired
