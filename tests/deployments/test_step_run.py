"""`--run`: a step alone takes the results and the settings of one run instead of the latest."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from deployments.cli import main
from deployments.cli.task.step import Step
from fer_models.history.build import record_of
from fer_models.history.outputs import output_of
from fer_models.history.runs import find_run, record_run
from fer_models.history.settings import setting_changes
from fer_models.storage.config import StoreConfig
from fer_models.storage.latest import remember
from fer_models.storage.refs import (
    EnsembleRef,
    ExplorationRef,
    PromotionRef,
    SnapshotRef,
    TuningRef,
    ValidationRef,
)
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from flows.pipeline_config import DEMO_MEMBERS, PipelineConfig
from tests.fer_models.builders import build_snapshot
from tests.fer_models.history.builders import MEMBERS, BuiltRun, build_run
from tests.fer_models.review.builders import CASES, cleaned_snapshot

HOUR_S = 3600.0
START_S = 1_800_000_000.0


def ferflow(store: ArtifactStore, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--store", store.url])


def answer(store: ArtifactStore, *arguments: str) -> dict[str, Any]:
    result = ferflow(store, *arguments, "--json")
    assert result.exit_code in (0, 3), result.output
    output: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return output


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    """The store of both runs."""
    return ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("runs"))))


@pytest.fixture(scope="module")
def runs(shared: ArtifactStore) -> tuple[BuiltRun, BuiltRun]:
    """Runs A and B with different seeds, data and settings; B's results are the latest."""
    store = shared
    first = build_run(store, 1, 0.6, name="A", members=DEMO_MEMBERS[::-1])
    second = build_run(
        store, 2, 2.4, build_snapshot(store, 280, seed=4), START_S + HOUR_S, name="B"
    )
    trained = second.outcome.trained
    remember(store, "split", trained.prepared.snapshot)
    remember(store, "ensemble", trained.ensemble)
    for model in trained.models:
        remember(store, f"train-{model.name}", model)
    return first, second


@pytest.mark.parametrize(("options", "number"), [(("--run", "A"), 0), ((), 1)])
def test_evaluate_takes_the_models_of_the_run(
    shared: ArtifactStore,
    runs: tuple[BuiltRun, BuiltRun],
    options: tuple[str, ...],
    number: int,
) -> None:
    trained = runs[number].outcome.trained
    evaluated = answer(shared, "task", "evaluate", *options)
    assert evaluated["snapshot"] == trained.prepared.snapshot.id
    assert {one["model"] for one in evaluated["evaluations"]} == {
        model.id for model in (*trained.models, *trained.ensemble.ensembles)
    }
    assert {one["evaluation"] for one in evaluated["evaluations"]} == {
        evaluation.id for evaluation in trained.evaluations
    }


def test_promote_and_report_are_those_of_the_run(
    shared: ArtifactStore, runs: tuple[BuiltRun, BuiltRun]
) -> None:
    first, _ = runs
    decided = answer(shared, "task", "promote", "--run", "latest~1")
    assert decided["candidate"] == first.record.candidate
    lineage = reported(shared, first, "--run", "A")
    assert not setting_changes(lineage["config"], first.config.model_dump(mode="json"))
    assert lineage["artifacts"]["promotion"] == first.outcome.promotion.id


def _search(store: ArtifactStore, snapshot: SnapshotRef, best: dict[str, Any]) -> TuningRef:
    """The latest search of the store, for the first member, with this best setting."""
    files = {"best.json": json.dumps(best).encode(), "trials.json": b"[]"}
    info = {"member": MEMBERS[0], "snapshot_id": snapshot.id, "best_trial": "0", "plots": []}
    tuning = store.put(TuningRef, f"search-{len(store.list_ids(TuningRef))}", files, info)
    remember(store, "tune", tuning)
    return tuning


def _remember_all(store: ArtifactStore, run: BuiltRun) -> None:
    trained = run.outcome.trained
    remember(store, "split", trained.prepared.snapshot)
    remember(store, "validate", trained.prepared.validation)
    remember(store, "ensemble", trained.ensemble)
    remember(store, "promote", run.outcome.promotion)
    for model in trained.models:
        remember(store, f"train-{model.name}", model)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_report_leaves_out_a_search_that_its_models_did_not_use(
    store: ArtifactStore, recorded: bool
) -> None:
    run = build_run(store, 1, members=DEMO_MEMBERS, recorded=recorded)
    _remember_all(store, run)
    _search(store, run.outcome.trained.prepared.snapshot, {"training.learning_rate": 0.123})
    assert reported(store, run)["artifacts"]["tuning"] is None


def test_a_report_of_single_steps_has_the_search_that_its_models_used(store: ArtifactStore) -> None:
    run = build_run(store, 1, members=DEMO_MEMBERS, recorded=False)
    _remember_all(store, run)
    model = run.outcome.trained.models[0]
    rate = MemberConfig.model_validate(store.read_json(model, "config.json")).training.learning_rate
    data = run.outcome.trained.prepared.snapshot
    tuning = _search(store, data, {"training.learning_rate": rate})
    assert reported(store, run)["artifacts"]["tuning"] == tuning.id


def reported(store: ArtifactStore, run: BuiltRun, *options: str) -> dict[str, Any]:
    """The lineage of a new report."""
    run_id = answer(store, "task", "report", *options)["run"]
    ref = run.outcome.run.model_copy(update={"id": run_id})
    lineage: dict[str, Any] = store.read_json(ref, "lineage.json")
    return lineage


def options_of(store: ArtifactStore, run: str, **changes: Any) -> dict[str, Any]:
    plain = {"recipe": "demo", "sources": (), "assignments": (), "seed": None, "run_text": run}
    return {**plain, "store_url": store.url, **changes}


def test_settings_are_those_of_the_run_with_changes(store: ArtifactStore) -> None:
    members = tuple(
        member.model_copy(update={"name": f"my_{member.name}"}) for member in DEMO_MEMBERS
    )
    tuning = {"tuning": PipelineConfig().tuning.model_copy(update={"member": "my_compact_cnn"})}
    config = PipelineConfig(seed=7, store=store.config, members=members, **tuning)
    record = record_of(store, config, flow="run-pipeline", trigger="cli", started_s=START_S)
    record_run(store, record)
    step = Step(options_of(store, "latest"))
    assert not setting_changes(step.config.model_dump(mode="json"), record.config)
    changed = ("members.my_resnet10t.training.epochs=2",)
    step = Step(options_of(store, "latest", assignments=changed, seed=8))
    assert step.config.member("my_resnet10t").training.epochs == 2
    assert step.config.seed == 8


def test_a_given_recipe_replaces_the_settings_of_the_run(
    shared: ArtifactStore, runs: tuple[BuiltRun, BuiltRun], tmp_path: Path
) -> None:
    recipe = tmp_path / "strict.yaml"
    recipe.write_text("promotion: {min_accuracy: 1.0}")
    lineage = reported(shared, runs[0], "--run", "A", "--recipe", str(recipe))
    assert lineage["artifacts"]["ensemble"] == runs[0].record.artifacts.ensemble
    assert lineage["config"]["promotion"]["min_accuracy"] == 1
    assert lineage["config"]["seed"] == 0


def test_a_run_without_the_result_is_refused_with_those_it_has(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store, 140)
    record = record_of(
        store,
        PipelineConfig(store=store.config),
        [snapshot],
        flow="run-pipeline",
        trigger="cli",
        started_s=START_S,
        state="failed",
    )
    record_run(store, record)
    result = ferflow(store, "task", "evaluate", "--run", "latest")
    assert result.exit_code == 2
    assert f"run {record.id} (failed) has no output of the step 'train-" in result.output
    assert "it has those of: split" in result.output
    unknown = ferflow(store, "task", "evaluate", "--run", "nobody")
    assert unknown.exit_code == 2
    assert f"available: {record.id}" in unknown.output


def test_a_removed_result_is_named(store: ArtifactStore) -> None:
    model = build_run(store, name="A").models[0]
    store.remove_folder(f"models/{model.id}")
    result = ferflow(store, "task", "ensemble", "--run", "A")
    assert result.exit_code == 2
    assert f"models/{model.id}" in result.output
    assert "not in the store any more" in result.output


def test_the_references_are_those_that_the_flow_returned(
    shared: ArtifactStore, runs: tuple[BuiltRun, BuiltRun]
) -> None:
    first, _ = runs
    trained, record = first.outcome.trained, find_run(shared, "A")
    assert output_of(shared, record, "ensemble", EnsembleRef) == trained.ensemble
    assert output_of(shared, record, "validate", ValidationRef) == trained.prepared.validation
    assert output_of(shared, record, "explore", ExplorationRef) == trained.prepared.exploration
    assert output_of(shared, record, "promote", PromotionRef) == first.outcome.promotion
    assert output_of(shared, record, "tune", ValidationRef) is None


def test_review_shows_the_images_of_the_run(store: ArtifactStore, tmp_path: Path) -> None:
    config = PipelineConfig(store=store.config)
    cleaned = cleaned_snapshot(store)
    record_run(
        store,
        record_of(store, config, [cleaned], flow="prepare-data", trigger="cli", started_s=START_S),
    )
    remember(store, "clean", cleaned_snapshot(store, [case for case in CASES if case.copy_of < 0]))
    out = ("--out", str(tmp_path / "review.html"))
    assert answer(store, "review", "--run", "latest", *out)["snapshot"] == cleaned.id
    assert answer(store, "review", *out)["snapshot"] != cleaned.id


def test_predict_takes_the_candidate_of_the_run(
    shared: ArtifactStore, runs: tuple[BuiltRun, BuiltRun], tmp_path: Path
) -> None:
    picture = tmp_path / "face.png"
    Image.fromarray(np.full((48, 48), 90, dtype=np.uint8)).save(picture)
    result = ferflow(shared, "predict", str(picture), "--run", "A")
    # The models of this test have no weights: the error names the one that was wanted.
    wanted = runs[0].outcome.trained.ensemble.candidate.id
    if runs[0].outcome.trained.ensemble.candidate.kind == "ensemble":
        members = shared.read_json(runs[0].outcome.trained.ensemble.candidate, "members.json")
        wanted = members[0]["model_id"]
    assert result.exit_code == 2
    assert wanted in result.output
    both = ferflow(shared, "predict", str(picture), "--run", "A", "--model", "champion")
    assert both.exit_code == 2
    assert "pass only one of them" in both.output


def test_the_scores_of_ensembles_fit_on_a_terminal(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    build_run(store, name="A")
    result = ferflow(store, "task", "ensemble", "--run", "A")
    assert result.exit_code == 0, result.output
    table = [line for line in result.stdout.splitlines() if line.startswith(("│", "┃"))]
    assert "┃ model" in table[0]
    assert sum("★" in line for line in table) == 1
    assert "nested estimate" in table[-1]
    assert any("ensemble-majority_vote" in line for line in table)
    assert all("[0." in line for line in table[1:])
    headings = [cell.strip() for cell in table[0].strip("┃").split("┃")]
    assert headings == ["model", "accuracy", "log loss", "M multiply-adds"]


@pytest.mark.parametrize("line", ["clean", "train", "ingest --data absent.csv", "report"])
def test_a_step_that_fails_leaves_no_store_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["task", *line.split(), "--store", "typo/x"])
    assert result.exit_code == 2, result.output
    assert not list(tmp_path.iterdir())
