"""`ferflow models list` and `ferflow datasets`: what a store holds, and what used it."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from deployments.cli import main
from deployments.inference_server.models.card import card_sections
from fer_models.dataset.snapshot import open_snapshot, write_snapshot
from fer_models.ensembling.config import METHODS
from fer_models.history.runs import record_run
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot
from tests.fer_models.history.builders import BuiltRun, build_run


def ferflow(store: ArtifactStore, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--store", store.url], env={"COLUMNS": "80"})


def answer(store: ArtifactStore, *arguments: str) -> dict[str, Any]:
    result = ferflow(store, *arguments, "--json")
    assert result.exit_code == 0, result.output
    output: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return output


def chain(store: ArtifactStore) -> tuple[SnapshotRef, SnapshotRef, SnapshotRef]:
    """The snapshots of ingest, clean and split."""
    raw = build_snapshot(store, 350, step="ingest")
    opened = open_snapshot(store, raw)
    clean = write_snapshot(store, opened.manifest, opened.images, "clean", raw)
    return raw, clean, write_snapshot(store, opened.manifest, opened.images, "split", clean)


def two_champions(store: ArtifactStore) -> tuple[BuiltRun, BuiltRun]:
    first = build_run(store, 0, 0.4, chain(store)[2])
    second = build_run(store, 1, 2.4, first.outcome.trained.prepared.snapshot, 1_800_003_600.0)
    assert second.record.promoted
    return first, second


def test_the_card_of_the_champion_is_printed_or_written(
    store: ArtifactStore, tmp_path: Path
) -> None:
    run = build_run(store, 0, 2.4, chain(store)[2])
    champion = run.outcome.promotion.candidate_id
    printed = ferflow(store, "models", "card")
    assert printed.exit_code == 0, printed.output
    assert f"({champion})" in printed.stdout
    file = tmp_path / "cards" / "MODEL_CARD.md"
    said = answer(store, "models", "card", champion, "--out", str(file))
    assert (said["model"], said["file"]) == (champion, str(file))
    assert file.read_text("utf-8") == said["card"] == printed.stdout


def test_a_card_takes_the_texts_of_the_newest_run_with_the_model(store: ArtifactStore) -> None:
    run = build_run(store, 0, 2.4, chain(store)[2])
    texts = {"license": "mit", "contact": "faces@example.com", "gone": "of another version"}
    config = {**run.record.config, "model_card": texts}
    later = {"id": "20991231T000000Z-ffffff", "config": config}
    record_run(store, run.record.model_copy(update=later))
    model = run.outcome.promotion.candidate_id
    card = answer(store, "models", "card", model)["card"]
    assert "license: mit" in card
    assert "Contact: faces@example.com" in card
    shown = json.dumps(card_sections(model, store))  # by the server and the exported page
    assert "Contact: faces@example.com" in shown


def test_a_card_of_a_model_that_is_not_there_is_an_error(store: ArtifactStore) -> None:
    result = ferflow(store, "models", "card", "nothing-like-it")
    assert result.exit_code == 2
    assert "nothing-like-it" in result.stderr


def test_models_are_listed_with_figures_role_and_runs(store: ArtifactStore) -> None:
    first, second = two_champions(store)
    models = {model["id"]: model for model in answer(store, "models", "list")["models"]}
    assert len(models) == 2 * (3 + len(METHODS))
    champion = models[second.outcome.promotion.candidate_id]
    assert champion["role"] == "champion"
    assert models[first.outcome.promotion.candidate_id]["role"] == "previous"
    assert champion["runs"] == [second.record.id]
    evaluation = next(
        one for one in second.outcome.trained.evaluations if one.model_id == champion["id"]
    )
    assert champion["validation"] == store.info(evaluation)["validation"]
    assert champion["kind"] == second.outcome.trained.ensemble.candidate.kind
    assert champion["made_s"] == pytest.approx(
        (store.local_root / "models" / champion["id"] / "artifact.json").stat().st_mtime
    )
    output = ferflow(store, "models", "list").output
    assert f"{champion['id']} ★" in output
    assert "…" not in output


def test_a_network_is_listed_with_its_architecture(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store, 140)
    config = json.dumps({"name": "small", "network": {"name": "resnet10t"}}).encode()
    store.put(ModelRef, "small-1", {"config.json": config}, {"kind": "network"}, name="small")
    build_model(store, snapshot)
    models = {model["name"]: model for model in answer(store, "models", "list")["models"]}
    assert models["small-1"]["network"] == "resnet10t"
    assert models["compact_cnn"]["network"] is None
    assert models["compact_cnn"]["validation"] is None
    assert "not evaluated" in ferflow(store, "models", "list").output


def test_a_damaged_model_is_left_out_with_a_warning(store: ArtifactStore) -> None:
    build_run(store)
    store.write_bytes("models/broken-1/artifact.json", b"{")
    result = ferflow(store, "models", "list")
    assert result.exit_code == 0
    assert "skipped:" in result.stderr
    assert "broken-1" in result.stderr
    assert "compact_cnn" in result.stdout


def test_datasets_are_listed_with_step_parent_and_users(store: ArtifactStore) -> None:
    first, second = two_champions(store)
    datasets = answer(store, "datasets", "list")["datasets"]
    steps = {dataset["step"]: dataset for dataset in datasets}
    assert steps["split"]["parent"] == steps["clean"]["id"]
    assert steps["clean"]["parent"] == steps["ingest"]["id"]
    for dataset in datasets:
        assert dataset["runs"] == [second.record.id, first.record.id]
    assert len(steps["split"]["models"]) == 2 * (3 + len(METHODS))
    assert steps["ingest"]["models"] == []
    assert sum(steps["split"]["splits"].values()) == steps["split"]["kept"]
    output = ferflow(store, "datasets", "list").output
    assert f"{2 * (3 + len(METHODS))} models" in output
    assert output.index("train ") < output.index("validation") < output.index("test ")


def test_a_dataset_is_shown_by_the_beginning_of_its_id(store: ArtifactStore) -> None:
    raw, clean, split = chain(store)
    shown = answer(store, "datasets", "show", clean.id[:10])
    assert (shown["id"], shown["parent"]) == (clean.id, raw.id)
    output = ferflow(store, "datasets", "show", clean.id).output
    assert f"source of  {split.id}" in output
    assert "near duplicate" in output


@pytest.mark.usefixtures("prefect_server")
def test_rows_that_ingest_left_out_are_counted(store: ArtifactStore, tmp_path: Path) -> None:
    for number in range(8):
        path = tmp_path / "faces" / ("happy", "sad")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (48, 48), 20 * number).save(path)
    path.write_bytes(b"")
    options = ("--data", str(tmp_path / "faces"), "--set", "data.quarantine_bad_rows=true")
    ingest = ferflow(store, "task", "ingest", *options)
    assert ingest.exit_code == 0, ingest.output
    [dataset] = answer(store, "datasets", "list")["datasets"]
    assert dataset["rejected"] == 1
    shown = ferflow(store, "datasets", "show", dataset["id"]).output
    for output in (ingest.output, shown):
        assert (
            "rejected  1 (rows and files that can't be read, listed in rejected.parquet)" in output
        )
    path.unlink()
    assert "rejected" not in ferflow(store, "task", "ingest", *options).output


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("datasets", "show", "zzz"), ["no id starts with 'zzz'", "available: "]),
        (("models", "show", "zzz"), ["no id starts with 'zzz'", "available: compact_cnn-"]),
        (("models", "compare", "compact", "zzz"), ["no id starts with 'zzz'"]),
        (("models", "compare", "compact", "compact"), ["A and B are the same model"]),
        (
            ("models", "promote", "zzz", "--reason", "why"),
            ["no id starts with 'zzz'", "available: compact_cnn-"],
        ),
        (("models", "promote", "compact"), ["expected a reason", '--reason "..."']),
    ],
)
def test_an_unknown_id_is_refused_with_those_that_exist(
    store: ArtifactStore, arguments: tuple[str, ...], parts: list[str]
) -> None:
    build_model(store, build_snapshot(store, 140))
    result = ferflow(store, *arguments)
    assert result.exit_code == 2
    for part in parts:
        assert part in result.output


def test_an_empty_store_says_how_to_fill_it(store: ArtifactStore) -> None:
    assert "train some with `ferflow run`" in ferflow(store, "models", "list").output
    assert "make one with `ferflow run`" in ferflow(store, "datasets", "list").output


@pytest.mark.slow
@pytest.mark.s3
def test_a_bucket_lists_the_same_without_files_to_look_at(s3_store_url: str) -> None:
    store = ArtifactStore(StoreConfig(url=s3_store_url))
    run = build_run(store, 0, 2.0, chain(store)[2])
    models = answer(store, "models", "list")["models"]
    assert {model["made_s"] for model in models} == {run.record.ended_s}
    assert len(models) == 3 + len(METHODS)
    steps = [dataset["step"] for dataset in answer(store, "datasets", "list")["datasets"]]
    assert sorted(steps) == ["clean", "ingest", "split"]
    (listed,) = answer(store, "runs", "list")["runs"]
    assert listed["headline"] == run.record.headline.model_dump()
    shown = answer(store, "runs", "show", "latest")
    assert len(shown["leaderboard"]) == 3 + len(METHODS)
