"""The setting that a message about ensembles names: following it builds them."""

import sys

import pytest

from fer_models.ensembling.ensemble import ensemble_models
from fer_models.storage.store import ArtifactStore
from flows.recipes import load_config
from tests.fer_models.builders import build_model, build_snapshot
from tests.fer_models.following import refusal


def test_without_scikit_learn_all_methods_but_stacking_work_as_proposed(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = build_snapshot(store)
    members = [build_model(store, snapshot, f"m{i}", 1 + i / 2, 10 * i) for i in range(2)]
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)

    def build(methods: str) -> int:
        config = load_config("demo", [f"ensemble.methods={methods}"]).ensemble
        return len(ensemble_models(store, snapshot, members, config).ensembles)

    methods = "soft_vote, majority_vote, weighted, greedy"
    message = refusal(build, f"[{methods}, stacking]")
    assert "leave stacking out of ensemble.methods" in message
    assert build(f"[{methods}]") > 0
