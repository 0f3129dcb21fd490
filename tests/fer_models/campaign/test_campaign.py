"""A whole campaign by its commands, where only the libraries of a GPU machine are installed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fer_models.campaign.__main__ import main
from fer_models.campaign.merge import read_results_file
from fer_models.campaign.page.update import marks
from tests.fer_models.campaign.conftest import Campaign

ABSENT = (
    "prefect,ray,great_expectations,onnx,onnxruntime,cv2,fastapi,wandb,s3fs,cleanlab,optuna,"
    "uvicorn,starlette,pytorch_grad_cam"
)
BLOCK = """
import os, sys
from importlib.machinery import PathFinder
class Present(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        absent = name.partition(".")[0] in os.environ["ABSENT"].split(",")
        return None if absent else PathFinder.find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Present
"""
TIMEOUT_S = 800


def command(folder: Path, campaign: Campaign, plan: Path, *more: str) -> list[str]:
    paths = ["--plan", str(plan), "--faces", str(campaign.faces), "--done", str(folder / "done")]
    paths += ["--work", str(folder / "work"), "--out", str(folder / "out")]
    return [sys.executable, "-m", "fer_models.campaign", "run", *paths, *more]


def environment(folder: Path) -> dict[str, str]:
    """Of a machine without the other packages of ferflow."""
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / "sitecustomize.py").write_text(BLOCK)
    root = str(Path(__file__).parents[3])
    paths = f"{folder / 'site'}{os.pathsep}{root}"
    return {**os.environ, "ABSENT": ABSENT, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}


def finished(arguments: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments, env=env, timeout=TIMEOUT_S, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.timeout(3 * TIMEOUT_S)
def test_a_campaign_that_is_killed_goes_on_and_comes_home(
    campaign: Campaign, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = tmp_path / "tiny.yaml"
    # Long enough to be killed in the middle.
    long.write_text(campaign.plan_file.read_text().replace("epochs: 2", "epochs: 60"))
    run, env = command(tmp_path, campaign, long), environment(tmp_path)
    log = tmp_path / "work" / "logs" / "small-seed-0.log"
    with subprocess.Popen(run, env=env, start_new_session=True) as first:
        deadline = time.monotonic() + TIMEOUT_S
        while not (log.exists() and "3/60" in log.read_text()):
            assert time.monotonic() < deadline
            assert first.poll() is None
            time.sleep(0.05)
        os.killpg(first.pid, signal.SIGKILL)
    done = finished(run, env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 finished, 0 failed, 0 left" in done.stdout
    assert "resumed after epoch" in log.read_text()
    page = tmp_path / "page.md"
    page.write_text("\n".join(marks("tiny")))
    merge = ["merge", str(tmp_path / "out"), "--plan", str(long), "--page", str(page)]
    merge += ["--done", str(tmp_path / "done"), "--merged", str(tmp_path / "merged")]
    assert main([*merge, "--store", str(tmp_path / "store")]) == 0
    assert "| `student` | 1 |" in page.read_text()
    assert len(read_results_file(tmp_path / "done")) == 4
    # On another machine nothing is left to do.
    elsewhere = tmp_path / "elsewhere"
    again = command(elsewhere, campaign, long, "--done", str(tmp_path / "done"))
    third = finished(again, env)
    assert "0 trainings to do" in third.stdout
    assert not (elsewhere / "out").exists()


@pytest.mark.slow
@pytest.mark.timeout(2 * TIMEOUT_S)
def test_a_campaign_stops_in_time_and_reports_failures(campaign: Campaign, tmp_path: Path) -> None:
    plan = tmp_path / "tiny.yaml"
    text = campaign.plan_file.read_text()
    endless = text.replace("epochs: 2", "epochs: 10000").replace("[0, 1]", "[0]")
    plan.write_text(endless)
    env = environment(tmp_path)
    started = time.monotonic()
    stopped = finished(command(tmp_path, campaign, plan, "--budget", "40"), env)
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    assert "0 finished, 0 failed, 3 left" in stopped.stdout
    assert time.monotonic() - started < 300
    plan.write_text(text.replace("batch_size: 28", "batch_size: 1"))
    failed = finished(command(tmp_path / "failed", campaign, plan), env)
    assert failed.returncode == 1
    assert "small, seed 1: failed: small: training.batch_size is 1" in failed.stdout
    assert "set training.batch_size=2 or more" in failed.stdout
    assert "0 finished, 2 failed, 2 left" in failed.stdout


def test_a_page_without_marks_stops_the_merge_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("no marks")
    out = tmp_path / "out"
    out.mkdir()
    merge = ["merge", str(out), "--page", str(page), "--done", str(tmp_path / "done.json")]
    assert main([*merge, "--merged", str(tmp_path / "merged")]) == 2
    assert "add them" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "page.md"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["run", "--faces", "none.pack", "--out", "{}/out", "--work", "{}/work"], "campaign-pack"),
        (["run", "--faces", "a", "--out", "{}", "--plan", "none"], "plan 'none'"),
        (["run", "--faces", "a", "--out", "{}", "--jobs", "0"], "at least 1"),
        (["merge", "{}"], "name the folders that came back"),
        (["pack", "--store", "{}/store", "--out", "{}/faces.pack"], "expected one split snapshot"),
    ],
)
def test_wrong_input_ends_with_exit_code_2(
    arguments: list[str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argument.format(tmp_path) for argument in arguments]) == 2
    assert problem in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_two_calls_do_not_share_a_work_folder(campaign: Campaign, tmp_path: Path) -> None:
    import fcntl

    (tmp_path / "work").mkdir()
    with (tmp_path / "work" / "lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        arguments = command(tmp_path, campaign, campaign.plan_file)[3:]
        assert main(arguments) == 2
