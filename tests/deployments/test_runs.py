"""`ferflow runs`: the history is listed, shown with a command that repeats a run, and opened."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from deployments.cli import main
from deployments.cli.run import _summary
from deployments.cli.run import command as run_command
from deployments.cli.runs.open import can_open
from deployments.cli.runs.repeat import repeat_options
from fer_models.history.outputs import output_of
from fer_models.history.record import RunRecord
from fer_models.promotion.by_hand import roll_back
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import PromotionRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from flows.pipeline_config import PipelineConfig
from flows.recipes import load_config, recipe_names
from tests.fer_models.history.builders import BuiltRun, build_run

HOUR_S = 3600.0
START_S = 1_800_000_000.0


@dataclass(frozen=True)
class Stored:
    store: ArtifactStore
    first: BuiltRun
    second: BuiltRun


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """A baseline that became the champion, and a later run that was not better."""
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("runs"))))
    first = build_run(store, 0, 2.4, started_s=START_S, name="baseline")
    second = build_run(store, 1, 0.6, started_s=START_S + HOUR_S, name="weak [try]")
    assert not second.record.promoted
    return Stored(store, first, second)


def ferflow(store: ArtifactStore, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--store", store.url], env={"COLUMNS": "80"})


def answer(store: ArtifactStore, *arguments: str) -> dict[str, Any]:
    result = ferflow(store, *arguments, "--json")
    assert result.exit_code == 0, result.output
    output: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return output


def test_runs_are_listed_newest_first_within_80_columns(stored: Stored) -> None:
    listed = answer(stored.store, "runs", "list")["runs"]
    assert [run["id"] for run in listed] == [stored.second.record.id, stored.first.record.id]
    assert listed[1]["headline"]["n"] == stored.first.record.headline.n
    output = ferflow(stored.store, "runs", "list").output
    assert "…" not in output
    for text in (stored.first.record.id, "completed ★", "not-promoted", "[try]", "3.3 min"):
        assert text in output


def test_the_list_can_be_narrowed(stored: Stored) -> None:
    def ids(*options: str) -> list[str]:
        return [run["id"] for run in answer(stored.store, "runs", "list", *options)["runs"]]

    assert ids("--limit", "1") == [stored.second.record.id]
    assert ids("--promoted") == [stored.first.record.id]
    assert len(ids("--recipe", "demo")) == 2
    wrong = ferflow(stored.store, "runs", "list", "--recipe", "fer2013")
    assert wrong.exit_code == 2
    assert "no run of this recipe; the runs are of demo" in wrong.output


def test_a_run_whose_candidate_was_the_champion_already_is_not_listed_as_promoted(
    tmp_path: Path,
) -> None:
    store = ArtifactStore(StoreConfig(url=str(tmp_path)))
    first = build_run(store, name="first")
    candidate = first.outcome.trained.ensemble.candidate
    Registry(store).set(CHAMPION, first.models[0].id, "another one")
    roll_back(store, "back", "somebody", to=1)
    again = build_run(store, name="again", started_s=START_S + HOUR_S)
    assert again.outcome.trained.ensemble.candidate == candidate
    listed = answer(store, "runs", "list", "--promoted")["runs"]
    assert [run["name"] for run in listed] == ["first"]
    shown = answer(store, "runs", "show", "again")
    assert (shown["state"], shown["promoted"]) == ("completed", None)
    assert "champion already (by hand: back); criteria not judged" in shown["message"]
    promotion = again.outcome.promotion
    assert output_of(store, again.record, "promote", PromotionRef) == promotion
    assert _summary(store, again.outcome)["verdict"] == "champion already"
    assert _summary(store, first.outcome)["verdict"] == "promoted to champion"


def test_a_run_is_shown_in_full(stored: Stored) -> None:
    shown = answer(stored.store, "runs", "show", "latest")
    record = stored.second.record
    assert shown["id"] == record.id
    assert shown["changes"] == [{"path": "seed", "before": 0, "after": 1}]
    assert [row["name"] for row in shown["leaderboard"]][:3] == [
        "compact_cnn",
        "scratch_cnn",
        "resnet10t",
    ]
    assert [row["model"] for row in shown["leaderboard"] if row["is_candidate"]] == [
        record.candidate
    ]
    assert shown["reports"]["report"] == stored.second.outcome.run.report_url
    output = ferflow(stored.store, "runs", "show", "baseline").output
    for model in stored.first.models:
        assert model.id in output
    assert f"ferflow run --store {stored.store.url}" in output
    assert "promoted to champion" in output
    assert "…" not in output
    splits = shown["leaderboard"][0]["splits"]
    assert sorted(splits) == [
        "test",
        "test_without_leaks",
        "test_without_near_copies",
        "validation",
    ]
    assert "copies" in output
    assert "leaks" not in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("runs", "show", "nothing"), "no run has the name 'nothing'"),
        (("runs", "open", "latest~9"), "there is no run latest~9"),
        (("runs", "compare", "baseline", "nobody"), "no run has the name 'nobody'"),
        (("runs", "compare", "baseline", "latest~1"), "are the same run"),
        (("runs", "compare", "baseline", "latest", "--out", "cmp.txt"), "not end with .html or"),
        (("runs", "compare", "baseline", "latest", "--out", "/dev/null/a.html"), "is a file, not"),
    ],
)
def test_a_wrong_run_is_refused_and_the_runs_are_listed(
    stored: Stored, arguments: tuple[str, ...], message: str
) -> None:
    result = ferflow(stored.store, *arguments)
    assert result.exit_code == 2
    assert message in result.output
    if "no" in message.split()[:4]:
        assert f"{stored.first.record.id} (baseline)" in result.output


def test_two_runs_are_compared_as_table_json_and_page(stored: Stored, tmp_path: Path) -> None:
    out = tmp_path / "new" / "compare.html"
    result = answer(stored.store, "runs", "compare", "baseline", "latest", "--out", str(out))
    assert result["settings"] == [{"path": "seed", "before": 0, "after": 1}]
    assert result["overall"]["difference"] < 0
    assert result["overall"]["p_value"] < 0.05
    assert "B is worse" in out.read_text("utf-8")
    table = ferflow(stored.store, "runs", "compare", "baseline", "latest").output
    assert "B is worse by" in table
    assert "both runs have the same snapshot" in table


def test_open_prints_the_report_and_shows_it_where_there_is_a_display(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[str] = []
    monkeypatch.setattr(click, "launch", launched.append)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    expected = stored.store.local_root / "runs" / stored.second.outcome.run.id / "report.html"
    assert ferflow(stored.store, "runs", "open").output == f"{expected}\n"
    assert launched == []
    monkeypatch.setenv("DISPLAY", ":0")
    answer(stored.store, "runs", "open", "latest")
    assert launched == [str(expected)]
    assert can_open({}, "darwin")
    assert not can_open({"DISPLAY": ""}, "linux")


def test_a_run_without_a_report_can_not_be_opened(store: ArtifactStore) -> None:
    failed = RunRecord(id="20261128T051204Z-ab12cd", state="failed", message="no images")
    store.write_bytes(f"history/{failed.id}.json", failed.model_dump_json().encode())
    result = ferflow(store, "runs", "open")
    assert result.exit_code == 2
    assert "has no report (failed: no images)" in result.output
    assert ferflow(store, "runs", "show").exit_code == 0


def record_with(config: PipelineConfig, recipe: str = "") -> RunRecord:
    return RunRecord(
        id="20261128T051204Z-ab12cd",
        state="completed",
        recipe=recipe or config.name,
        config=config.model_dump(mode="json"),
    )


def config_of(options: list[str]) -> PipelineConfig:
    """What `ferflow run` makes of the options."""
    given = run_command.make_context("run", list(options)).params
    changes = {"data.sources": list(given["sources"])} if given["sources"] else {}
    if given["seed"] is not None:
        changes["seed"] = given["seed"]
    return load_config(given["recipe"], given["assignments"], changes)


@pytest.mark.parametrize(
    "config",
    [
        PipelineConfig(),
        load_config("demo", ["seed=3", "members.resnet10t.training.learning_rate=2e-5"]),
        load_config("demo", ["members=[{name: resnet10t}, {name: compact_cnn}]"]),
        PipelineConfig(members=PipelineConfig().members[::-1]),
        load_config("demo", ["data.sources=[a b.csv, c.csv]", "tuning.enabled=false"]),
        load_config(
            "demo",
            ["members=[{name: vit.tiny, network: {name: resnet10t}}]", "tuning.member=vit.tiny"],
        ),
        load_config("demo", ["validation.severities={labels are 0..6 or -1: warning}"]),
        load_config("fer2013-single", ["members.0.training.epochs=3", "name=mine"]),
        *(load_config(recipe) for recipe in recipe_names()),
    ],
    ids=lambda config: config.name,
)
def test_the_command_repeats_the_settings(config: PipelineConfig) -> None:
    recipe = "fer2013-single" if config.name == "mine" else ""
    options = repeat_options(record_with(config, recipe))
    assert config_of(shlex.split(shlex.join(options))) == config


def test_settings_that_are_newer_than_the_run_keep_their_defaults() -> None:
    config = load_config("demo", ["members.resnet10t.training.epochs=2"])
    record = record_with(config)
    del record.config["members"][2]["training"]["label_smoothing"]
    del record.config["scoring"]
    assert config_of(repeat_options(record)) == config


def test_a_recipe_that_is_gone_is_replaced_by_its_settings() -> None:
    config = load_config("fer2013-quick", ["name=theirs"])
    options = repeat_options(record_with(config, "theirs.yaml"))
    assert "--recipe" not in options
    assert config_of(options) == config
