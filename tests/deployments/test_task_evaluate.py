"""`ferflow task evaluate --model`: every headline again, from the store alone."""

import json
import shlex
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from deployments.cli import main
from fer_models.dataset.snapshot import open_snapshot
from fer_models.evaluation.command import evaluation_command
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import evaluate_model, read_evaluation
from fer_models.evaluation.predictions import read_predictions
from fer_models.evaluation.results import ModelMetrics
from fer_models.storage.latest import recall_if_any, remember
from fer_models.storage.refs import EvaluationRef, ModelRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot

CHANGED = EvaluationConfig(confidence=0.9, calibration_bins=10)


@pytest.fixture
def model(store: ArtifactStore) -> ModelRef:
    """A model of a snapshot that is not the latest one."""
    trained = build_model(store, build_snapshot(store, seed=1), "old_cnn")
    remember(store, "split", build_snapshot(store, seed=2))
    return trained


def measured(store: ArtifactStore, model: ModelRef, config: EvaluationConfig) -> EvaluationRef:
    snapshot = build_snapshot(store, seed=1)
    return evaluate_model(store, snapshot, model, config)


def run(command: str, *more: str) -> Result:
    program, *arguments = shlex.split(command)
    assert program == "ferflow"
    return CliRunner().invoke(main, [*arguments, *more])


def answer(command: str) -> dict[str, Any]:
    result = run(command, "--json")
    assert result.exit_code == 0, result.output
    output: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    [facts] = output["evaluations"]
    return dict(facts)


def stored(store: ArtifactStore, evaluation: EvaluationRef) -> ModelMetrics:
    return read_evaluation(store, evaluation)


@pytest.mark.parametrize("config", [EvaluationConfig(), CHANGED])
def test_the_command_of_a_model_gives_its_stored_evaluation(
    store: ArtifactStore, model: ModelRef, config: EvaluationConfig
) -> None:
    evaluation = measured(store, model, config)
    metrics = stored(store, evaluation)
    facts = answer(evaluation_command(store.url, model.id, metrics.settings))
    assert facts["evaluation"] == evaluation.id
    assert facts["was_stored"]
    assert facts["snapshot"] == build_snapshot(store, seed=1).id
    headlines = {(row["split"], row["metric"]): row for row in facts["headlines"]}
    for name, split in metrics.splits.items():
        for headline in split.headlines():
            row = headlines[name, headline.name]
            assert (row["n"], row["value"]) == (split.n, headline.value)
            assert (row["low"], row["high"]) == (headline.low, headline.high)
    assert len(headlines) == sum(len(list(split.headlines())) for split in metrics.splits.values())
    assert answer(facts["command"]) == facts


def test_the_figures_are_those_of_the_stored_probabilities(
    store: ArtifactStore, model: ModelRef
) -> None:
    facts = answer(evaluation_command(store.url, model.id, EvaluationConfig()))
    assert not facts["was_stored"]
    snapshot = open_snapshot(store, build_snapshot(store, seed=1))
    correct = read_predictions(store, snapshot, model)["test"].correct
    [row] = [r for r in facts["headlines"] if (r["split"], r["metric"]) == ("test", "accuracy")]
    assert row["value"] == np.mean(correct)
    assert {r["column"] for r in facts["slices"]} >= {"class", "brightness", "sharpness"}


def test_every_headline_is_printed_with_n_and_interval(
    store: ArtifactStore, model: ModelRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    metrics = stored(store, measured(store, model, EvaluationConfig()))
    command = evaluation_command(store.url, model.id, EvaluationConfig())
    output = run(command).output
    for split in metrics.splits.values():
        assert f"n={split.n}" in output
        for headline in split.headlines():
            assert headline.name.replace("_", " ") in output
            assert f"{headline.value:.4f}" in output
            if headline.low is not None:
                assert f"[{headline.low:.4f}, {headline.high:.4f}]" in output
    assert "equal to the stored one" in output
    assert "n < 30" in output
    assert "--model" in output.splitlines()[-1]


@pytest.mark.parametrize("options", [["--model", "old_cnn"], ["--snapshot"]])
def test_no_figure_is_cut_off_on_a_terminal_of_80_characters(
    store: ArtifactStore,
    model: ModelRef,
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("compact_cnn", "scratch_cnn", "resnet10t"):
        remember(store, f"train-{name}", model)
    snapshot = [build_snapshot(store, seed=1).id] if options == ["--snapshot"] else []
    result = run(
        shlex.join(["ferflow", "task", "evaluate", *options, *snapshot]), "--store", store.url
    )
    assert result.exit_code == 0, result.output
    assert "calib" in result.output
    assert "…" not in result.output


def test_named_models_do_not_become_the_latest_evaluations(
    store: ArtifactStore, model: ModelRef
) -> None:
    answer(evaluation_command(store.url, model.id, EvaluationConfig()))
    assert recall_if_any(store, "evaluate-old_cnn", EvaluationRef) is None


def test_an_unknown_model_is_refused(store: ArtifactStore, model: ModelRef) -> None:
    result = run(evaluation_command(store.url, "nobody", EvaluationConfig()))
    assert result.exit_code == 2
    assert "no id starts with 'nobody'" in result.output
    assert model.id in result.output
