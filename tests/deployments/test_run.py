"""`ferflow run` and `ferflow task` as a user runs them: killed and resumed, or step by step."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deployments.processes import Workspace, running_servers

pytestmark = pytest.mark.timeout(1800)


def _kill_during_the_second_training(workspace: Workspace) -> None:
    process = workspace.start("run", "--recipe", "tiny.yaml")
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "scratch_cnn" in line and "/24 epochs" in line:
                break
        else:
            pytest.fail("scratch_cnn was never trained")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def _wait_until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "the Prefect server outlived the command that started it"
        time.sleep(0.2)


def test_a_killed_run_resumes_where_it_stopped(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    _kill_during_the_second_training(workspace)
    _wait_until(lambda: not running_servers(workspace))

    resumed = workspace.run("run", "--recipe", "tiny.yaml")
    assert not running_servers(workspace)
    assert resumed["cached_tasks"] == [
        *("ingest", "validate", "clean", "split", "explore", "train")
    ]
    assert resumed["executed_tasks"][:4] == ["labelled_faces", "gate", "decisions", "train"]
    assert resumed["promoted"]
    assert Path(resumed["report"].removeprefix("file://")).is_file()


def test_single_steps_run_in_order_without_a_server(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    few_epochs = "members.scratch_cnn.training.epochs=2"
    options = ("--recipe", "tiny.yaml", "--store", "steps", "--set", few_epochs)
    results = {}
    for step in ("ingest", "validate", "clean", "split", "train"):
        results[step] = workspace.run("task", step, *options)
    assert results["clean"]["quarantined"] > 0
    assert results["split"]["split_counts"].keys() == {"train", "validation", "test"}

    for step in ("ensemble", "evaluate", "promote", "report"):
        results[step] = workspace.run("task", step, *options)
    members = [model["id"] for model in results["train"]["models"]]
    evaluated = [item["model"] for item in results["evaluate"]["evaluations"]]
    assert evaluated == members + results["ensemble"]["ensembles"]
    assert Path(results["report"]["report"].removeprefix("file://")).is_file()
    assert not (tmp_path / "prefect" / "prefect.db").exists()

    rejected = workspace.run(
        "task",
        "promote",
        *options,
        "--set",
        "promotion.min_accuracy=1.0",
        "--model",
        members[0],
        expect=3,
    )
    assert not rejected["promoted"]
    assert rejected["champion"] == results["promote"]["champion"]

    strict = workspace.run(
        "task", "validate", *options, "--set", "validation.max_leak_fraction=0", expect=3
    )
    assert strict["problems"]


def test_bad_rows_are_reported_without_a_traceback_and_nothing_is_written(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    rows = [f"9,{' '.join(['1'] * 2304)},Training", f"1,{' '.join(['1'] * 2303)},Nowhere"]
    (workspace.folder / "bad.csv").write_text("\n".join(["emotion,pixels,Usage", *rows, ""]))
    answer = workspace.run("run", "--data", "bad.csv", expect=2)
    problems = "\n".join(answer["problems"])
    for part in ("row 0", "'9'", "row 1", "got 2303", "'Nowhere'"):
        assert part in problems
    assert not list((workspace.folder / ".ferflow").rglob("artifact.json"))
