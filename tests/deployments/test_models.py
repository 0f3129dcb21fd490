"""`ferflow models show` and `compare`: one stored model, and two of them on the same images."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from scipy.stats import binomtest

from deployments.cli import main
from fer_models.dataset.snapshot import open_snapshot
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import evaluate_model
from fer_models.evaluation.predictions import read_predictions
from fer_models.labels import CLASS_NAMES
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot
from tests.fer_models.final_fits import build_final_fit
from tests.fer_models.history.builders import build_run


def ferflow(store: ArtifactStore, *arguments: str) -> Result:
    return CliRunner().invoke(
        main, ["models", *arguments, "--store", store.url], env={"COLUMNS": "80"}
    )


def answer(store: ArtifactStore, *arguments: str) -> dict[str, Any]:
    result = ferflow(store, *arguments, "--json")
    assert result.exit_code == 0, result.output
    output: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return output


@pytest.fixture
def snapshot(store: ArtifactStore) -> SnapshotRef:
    return build_snapshot(store, 350)


@pytest.fixture
def model(store: ArtifactStore, snapshot: SnapshotRef) -> ModelRef:
    """An evaluated model that was the champion for a while."""
    built = build_model(store, snapshot)
    evaluate_model(store, snapshot, built, EvaluationConfig())
    Registry(store).set(CHAMPION, built.id, "the first")
    Registry(store).set(CHAMPION, build_model(store, snapshot, "other").id, "better")
    return built


def test_a_model_is_shown_with_accuracies_lineage_and_reigns(
    store: ArtifactStore, snapshot: SnapshotRef, model: ModelRef
) -> None:
    facts = answer(store, "show", model.id[:14])
    assert facts["model"]["id"] == model.id
    assert facts["classes"] == list(CLASS_NAMES)
    assert facts["lineage"]["dataset_sha"] == snapshot.id
    validation = read_predictions(store, open_snapshot(store, snapshot), model)["validation"]
    found = facts["splits"]["validation"]
    assert found["accuracy"] == pytest.approx(validation.correct.mean())
    assert found["low"] < found["accuracy"] < found["high"]
    happy = facts["recalls"]["validation"]["happy"]
    assert happy["n"] == (validation.labels == 3).sum()
    assert happy["accuracy"] == pytest.approx(validation.correct[validation.labels == 3].mean())
    [reign] = facts["reigns"]
    assert (reign["entry"], reign["reason"]) == (1, "the first")
    assert reign["until_s"] > reign["since_s"]
    output = ferflow(store, "show", model.id).output
    for part in ("1.6 M", "0123456789ab", "torch 2.15.0", "champion from ", snapshot.id):
        assert part in output


def test_the_champion_is_shown_by_its_alias_also_without_an_evaluation(
    store: ArtifactStore, model: ModelRef
) -> None:
    facts = answer(store, "show", "champion")
    assert facts["model"]["name"] == "other"
    assert facts["splits"] == {}
    assert facts["reigns"][0]["until_s"] is None


def test_an_ensemble_is_shown_with_its_members(store: ArtifactStore) -> None:
    run = build_run(store)
    ensemble = run.outcome.trained.ensemble.ensembles[0]
    facts = answer(store, "show", ensemble.id)
    assert [one["name"] for one in facts["members"]] == [model.name for model in run.models]
    assert f"({run.models[0].id})" in ferflow(store, "show", ensemble.id).output


def test_two_models_are_compared_on_the_same_images(
    store: ArtifactStore, snapshot: SnapshotRef, model: ModelRef
) -> None:
    better = build_model(store, snapshot, "better", 4.0, 7)
    result = answer(store, "compare", model.id, better.id)
    opened = open_snapshot(store, snapshot)
    assert [part["split"] for part in result["splits"]] == ["test", "validation"]
    for part in result["splits"]:
        a = read_predictions(store, opened, model)[part["split"]].correct
        b = read_predictions(store, opened, better)[part["split"]].correct
        overall = part["overall"]
        only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
        assert (overall["only_a_correct"], overall["only_b_correct"]) == (only_a, only_b)
        assert overall["difference"] == pytest.approx(b.mean() - a.mean())
        assert overall["p_value"] == pytest.approx(binomtest(only_a, only_a + only_b).pvalue)
        assert sum(one["only_a_correct"] for one in part["classes"].values()) == only_a
    assert "B is better: +" in ferflow(store, "compare", "champion", better.id).output


def test_models_of_other_data_are_compared_on_what_they_have_in_common(
    store: ArtifactStore, snapshot: SnapshotRef, model: ModelRef
) -> None:
    elsewhere = build_snapshot(store, 350, fractions=(0.1, 0.8, 0.1), step="again")
    other = build_model(store, elsewhere, "elsewhere", 2.2, 5)
    result = answer(store, "compare", model.id, other.id, "--split", "test")
    [part] = result["splits"]
    assert not part["common"]["same_snapshot"]
    assert 0 < part["common"]["n"] < len(open_snapshot(store, snapshot).positions("test"))
    assert "left out" in ferflow(store, "compare", model.id, other.id).output
    apart = build_model(store, build_snapshot(store, 350, seed=5), "apart")
    refused = ferflow(store, "compare", model.id, apart.id)
    assert refused.exit_code == 2
    assert "no image with the same label in common" in refused.stderr


def test_a_final_fit_is_compared_on_test_images_only(
    store: ArtifactStore, snapshot: SnapshotRef, model: ModelRef
) -> None:
    """It has learned from the validation images."""
    other = build_model(store, snapshot, "another", 3.0, 7)
    final = build_final_fit(store, model)
    result = answer(store, "compare", final.id, other.id)
    assert [part["split"] for part in result["splits"]] == ["test"]
    refused = ferflow(store, "compare", final.id, other.id, "--split", "validation")
    assert refused.exit_code == 2
    assert "in common in validation" in refused.stderr
    assert answer(store, "show", final.id)["model"]["id"] == final.id


def test_a_bundle_is_exported_as_onnx_only(store: ArtifactStore, tmp_path: Path) -> None:
    done = ferflow(store, "export", "bundled:face_cnn", str(tmp_path / "new"))
    assert done.exit_code == 2
    assert "got a bundle; add --onnx" in done.output
    assert not (tmp_path / "new").exists()
