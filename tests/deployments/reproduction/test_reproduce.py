import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fer_models.bundles.facts import EnsembleFacts, read_facts


def reproduce(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-m", "deployments", "models", "reproduce", *arguments]
    environment = os.environ | {"FERFLOW_STORE": str(folder / "mine")}
    return subprocess.run(
        line, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_a_dry_run_prints_the_commands_and_runs_none(tmp_path: Path) -> None:
    done = reproduce(tmp_path, "face_cnn_small_final", "--data", "my faces.csv", "--dry-run")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert "ferflow task ingest --recipe fer2013-small --data 'my faces.csv'" in lines[0]
    store = ".ferflow/reproduced/face_cnn_small_final"  # not that of FERFLOW_STORE
    assert lines[-2] == f"ferflow task final-fit --model SMALL --store {store}"
    assert not list(tmp_path.iterdir())


def test_a_failed_step_says_why_and_ends_the_command_with_its_exit_code(tmp_path: Path) -> None:
    done = reproduce(tmp_path, "face_cnn", "--data", "nothing.csv", "--json")
    assert done.returncode == 2
    assert "nothing.csv: no such file or folder" in done.stderr
    assert "ferflow task ingest" in json.loads(done.stdout)["error"]
    assert "Traceback" not in done.stderr


def test_a_folder_of_weights_is_refused_where_nothing_starts_from_one(tmp_path: Path) -> None:
    done = reproduce(tmp_path, "face_cnn", "--data", "synthetic", "--weights-dir", ".")
    assert done.returncode == 2
    assert "leave the option out" in done.stderr
    assert not list(tmp_path.iterdir())


def test_an_unknown_name_lists_the_shipped_ones(tmp_path: Path) -> None:
    done = reproduce(tmp_path, "face_cn", "--data", "synthetic")
    assert done.returncode == 2
    assert "'face_cnn_small_final'" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["face_ensemble", "face_cnn_small_final"])
def test_a_bundle_is_trained_from_the_data_to_its_file(tmp_path: Path, name: str) -> None:
    small = ["--set", "data.synthetic.num_images=400", "--set", "training.epochs=1"]
    line = [name, "--data", "synthetic", *small, "--json"]
    done = reproduce(tmp_path, *line)
    assert done.returncode == 0, done.stderr
    facts = read_facts(tmp_path / "reproduced" / f"{name}.json")
    assert facts.command == f"ferflow models reproduce {shlex.join(line[:-1])}"
    assert isinstance(facts, EnsembleFacts) == (name == "face_ensemble")
    assert bool(facts.final_fit_of) == (name == "face_cnn_small_final")
    printed = json.loads(done.stdout)
    assert printed["model"] == printed["models"]["model"]
    assert set(printed["shipped_accuracy"]) == {"validation", "validation_unseen"}
    again = reproduce(tmp_path, *line)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["weights_sha256"] == printed["weights_sha256"]
    assert "# done before: " in again.stderr
    assert "1/1 epochs" not in again.stderr
