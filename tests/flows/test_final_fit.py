"""The final fit in the pipeline: trained before the promotion, and the champion after it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_models.combination.stored import read_combination
from fer_models.dataset.snapshot import open_snapshot
from fer_models.evaluation.predictions import model_ref, networks_of
from fer_models.history.runs import list_runs
from fer_models.progress import Progress, listening
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from fer_models.training.predict import predict_model
from flows.run_pipeline import run_pipeline
from tasks import promote as promote_module
from tasks.stage import FROM_CACHE
from tests.flows.conftest import as_recipe, tiny_config

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.timeout(1800)]


def test_a_run_killed_before_the_promotion_continues_to_a_final_champion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(
        str(tmp_path / "store"),
        final_fit={"enabled": True},
        tuning={"enabled": False},
        scoring={"enabled": False},
    )
    recipe, store = as_recipe(config), ArtifactStore(config.store)
    registry = Registry(store)

    def killed(*_: Any) -> None:
        raise RuntimeError("killed before the registry was written")

    with monkeypatch.context() as patch:
        patch.setattr(promote_module, "promote_candidate", killed)
        with pytest.raises(RuntimeError, match="killed before"):
            run_pipeline(recipe=recipe)
    assert registry.current(CHAMPION) is None
    cached: list[str] = []

    def listener(progress: Progress) -> None:
        if progress.note == FROM_CACHE:
            cached.append(progress.stage)

    with listening(listener):
        outcome = run_pipeline(recipe=recipe)
    candidate = outcome.trained.ensemble.candidate
    finals = networks_of(store, candidate)
    assert cached.count("final_network") == len(finals)
    entry = registry.current(CHAMPION)
    assert entry is not None
    assert entry.model_id == outcome.promotion.final_fit_id == outcome.promotion.champion_now
    assert entry.details["selection_model_id"] == candidate.id
    champion = model_ref(store, entry.model_id)
    for final, network in zip(networks_of(store, champion), finals, strict=True):
        assert store.info(final)["final_fit_of"] == network.id
        assert store.info(final)["best_epoch"] == store.info(network)["best_epoch"]
    snapshot = open_snapshot(store, outcome.trained.prepared.snapshot)
    images = np.asarray(snapshot.images[:8])
    probs_MNK = [predict_model(store, one, images) for one in networks_of(store, champion)]
    expected = probs_MNK[0]
    if champion.kind == "ensemble":
        expected = read_combination(store, candidate)[0].predict(np.stack(probs_MNK))
    np.testing.assert_allclose(predict_model(store, champion, images), expected, atol=1e-5)
    assert outcome.final_evaluation is not None
    assert set(store.info(outcome.final_evaluation)) >= {"test"}
    assert "validation" not in store.info(outcome.final_evaluation)
    record = list_runs(store).runs[0]
    assert record.artifacts.final_fit == champion.id
    assert champion.id not in record.artifacts.models.values()
    assert len(registry.history()) == 1
