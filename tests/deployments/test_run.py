"""`ferflow run` as a user runs it: killed, started again, and once more for nothing."""

from pathlib import Path

import pytest

from tests.deployments.processes import Workplace, orphaned_servers

pytestmark = pytest.mark.timeout(600)


def _kill_in_the_middle_of_the_second_training(workplace: Workplace) -> None:
    process = workplace.start("run", "--recipe", "tiny.yaml")
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "scratch_cnn" in line and "/24 epochs" in line:
                break
        else:
            pytest.fail("the training of scratch_cnn was never seen")
    finally:
        process.kill()
        process.wait()
        # Its Prefect server lives on and keeps the other ends open.
        process.stdout.close()
        process.stderr.close()


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    workplace = Workplace(tmp_path)
    _kill_in_the_middle_of_the_second_training(workplace)
    assert orphaned_servers(workplace)

    resumed = workplace.run("run", "--recipe", "tiny.yaml")
    assert not orphaned_servers(workplace)
    assert resumed["cached_tasks"] == [
        *("ingest", "validate", "clean", "split", "explore", "train")
    ]
    assert resumed["executed_tasks"][:3] == ["gate", "decisions", "train"]
    assert resumed["promoted"]
    assert Path(resumed["report"].removeprefix("file://")).is_file()


def test_single_steps_need_no_server_and_make_what_the_flow_makes(tmp_path: Path) -> None:
    workplace = Workplace(tmp_path)
    short = "members.scratch_cnn.training.epochs=2"
    options = ("--recipe", "tiny.yaml", "--store", "steps", "--set", short)
    made = {}
    for step in ("ingest", "validate", "clean", "split", "train", "evaluate", "ensemble"):
        made[step] = workplace.run("task", step, *options)
    made["promote"] = workplace.run("task", "promote", *options)
    made["report"] = workplace.run("task", "report", *options)
    assert made["clean"]["quarantined"] > 0
    assert made["split"]["split_counts"].keys() == {"train", "validation", "test"}
    assert Path(made["report"]["report"].removeprefix("file://")).is_file()
    assert not (tmp_path / "prefect" / "prefect.db").exists()

    refused = workplace.run(
        "task",
        "promote",
        *options,
        "--set",
        "promotion.min_accuracy=1.0",
        "--model",
        made["train"]["models"][0]["id"],
        expect=3,
    )
    assert not refused["promoted"]
    assert refused["champion"] == made["promote"]["champion"]

    strict = workplace.run(
        "task", "validate", *options, "--set", "validation.max_leak_fraction=0", expect=3
    )
    assert strict["problems"]


def test_bad_rows_are_told_without_a_traceback_and_nothing_is_written(tmp_path: Path) -> None:
    workplace = Workplace(tmp_path)
    rows = [f"7,{' '.join(['1'] * 2304)},Training", f"1,{' '.join(['1'] * 2303)},Nowhere"]
    (workplace.folder / "bad.csv").write_text("\n".join(["emotion,pixels,Usage", *rows, ""]))
    answer = workplace.run("run", "--data", "bad.csv", expect=2)
    told = "\n".join(answer["problems"])
    for part in ("row 0", "'7'", "row 1", "got 2303", "'Nowhere'"):
        assert part in told
    assert not list((workplace.folder / ".ferflow").rglob("artifact.json"))
