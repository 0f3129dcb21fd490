"""Options that would have no effect together are refused, with what they belong to."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deployments.cli import main

_NEEDS_UNLABELLED = "only with --unlabelled PATH"


def ferflow(store: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--store", str(store)])


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("predict a.png --run latest --model bundled", ["--run latest", "pass only one of them"]),
        ("predict a.png --format csv", ["--format: only with --out FILE"]),
        ("predict a.png --faces crop --min-face 40", ["--min-face: no face is searched for"]),
        ("predict --video a.mp4 --faces crop --min-face 40", ["--min-face: no face is searched"]),
        ("predict a.png --fps 3 --smooth 1", ["--fps, --smooth: only for a video"]),
        ("predict-batch a --faces crop --min-face 40", ["--min-face: no face is searched for"]),
        ("predict-batch a --data b", ["--data: ", "PATH..."]),
        ("predict-batch a --seed 1", ["--seed: ", "omit it"]),
        ("drift a --data b", ["--data: ", "PATH..."]),
        ("drift --data b", ["--data: ", "PATH..."]),
        ("review --count 3 --by margin --model x", ["--model, --count, --by", _NEEDS_UNLABELLED]),
        ("review --label-studio a --local-files b", ["--label-studio", _NEEDS_UNLABELLED]),
        ("review --unlabelled a --local-files b", ["--local-files: only with --label-studio"]),
        ("review --unlabelled a --limit 3 --snapshot 1", ["--snapshot, --limit: ", "--unlabelled"]),
        ("review --unlabelled a --run latest", ["--run: ", "--unlabelled"]),
        ("review --unlabelled a --label-studio b --out c.html", ["--out: ", "--label-studio"]),
        ("review --unlabelled a --label-studio b --open", ["--open: ", "--label-studio"]),
        ("review --history --limit 3 --out c.html", ["--out, --limit: ", "--history"]),
        ("review --snapshot 1 --run latest", ["--run: ", "--snapshot"]),
        ("models export x a --onnx --command text", ["--command: ", "--onnx"]),
        ("models export x a --int8", ["--int8: only with --onnx"]),
        ("models export x a --without-weights", ["--without-weights: only with --onnx"]),
        ("models export x a --onnx --images b", ["--images", "--int8"]),
        ("models rollback --to 3 --champion champion --reason x", ["--champion: ", "--to"]),
        ("task clean --data a.csv", ["--data: only `ferflow task ingest`"]),
        ("task train --data a.csv --run latest", ["--data: only `ferflow task ingest`"]),
    ],
)
def test_an_option_without_effect_is_refused(tmp_path: Path, line: str, parts: list[str]) -> None:
    result = ferflow(tmp_path / "store", *line.split())
    assert result.exit_code == 2, result.output
    for part in parts:
        assert part in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (
            "predict --run latest --model x --format csv --fps 2 --faces crop --min-face 40 a.png",
            ["--run latest", "--fps", "--format", "--min-face"],
        ),
        ("review --count 3 --label-studio a --local-files b", ["--count", "--local-files"]),
        ("models export bundled a --int8 --images b", ["bundled: expected", "--int8"]),
        ("predict-batch a --data b --seed 1 --faces crop --min-face 40", ["--data", "--seed"]),
    ],
)
def test_all_options_without_effect_are_named_at_once(
    tmp_path: Path, line: str, parts: list[str]
) -> None:
    result = ferflow(tmp_path / "store", *line.split(), "--json")
    assert result.exit_code == 2
    answer = json.loads(result.stdout.splitlines()[-1])
    assert answer["kind"] == "ConfigError"
    named = "\n".join([answer["error"], *answer["problems"]])
    for part in parts:
        assert part in named


def test_the_model_of_a_run_and_the_bundled_one_are_two_wishes(tmp_path: Path) -> None:
    """Also if the one that is named is the default."""
    result = ferflow(tmp_path, "predict", "a.png", "--run", "latest")
    assert "pass only one of them" not in result.stderr
    assert "latest" in result.stderr


def test_the_environment_names_no_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERFLOW_STORE", str(tmp_path / "store"))
    result = CliRunner().invoke(main, ["review", "--history", "--json"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("command", ["drift", "predict-batch"])
def test_help_leaves_out_what_a_command_would_refuse(command: str) -> None:
    assert "--data" not in CliRunner().invoke(main, [command, "--help"]).output


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("runs compare a b --out cmp.txt", "does not end with .html or .htm"),
        ("review --out page.txt", "does not end with .html or .htm"),
        ("review --unlabelled a --out page.txt", "does not end with .html or .htm"),
        ("task lr-find --out loss.svg", "does not end with .png"),
        ("models card --out file/card.md", "file is a file, not a folder"),
        ("review --out file/page.html", "file is a file, not a folder"),
        ("review --unlabelled a --label-studio file/tasks", "file is a file, not a folder"),
        ("predict a.png --out file/b/c.csv", "file is a file, not a folder"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    result = ferflow(tmp_path / "store", *line.split())
    assert result.exit_code == 2, result.output
    assert problem in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_port_of_a_server_that_is_not_started_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    result = ferflow(tmp_path / "store", "up", "--port", "4300")
    assert result.exit_code == 2, result.output
    assert "--port: PREFECT_API_URL names the Prefect server" in result.stderr
