import subprocess
from pathlib import Path

import pytest

from fer_models.lineage import code_revision, library_sha, lineage, machine_text, package_version


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_revision_and_changes_of_a_checkout(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "code.py").write_text("x = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    revision = git(tmp_path, "rev-parse", "HEAD")
    assert code_revision(tmp_path) == {"revision": revision, "dirty": False}
    (tmp_path / "code.py").write_text("x = 2\n")
    assert code_revision(tmp_path) == {"revision": revision, "dirty": True}


def test_a_folder_inside_someone_elses_checkout_has_no_revision(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    inside = tmp_path / "site-packages"
    inside.mkdir()
    assert code_revision(inside) == {"revision": None, "dirty": None}


def test_missing_git_is_not_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code_revision()["revision"] is None


def test_lineage_names_data_seed_and_packages() -> None:
    found = lineage("abc", 7)
    assert (found["dataset_sha"], found["seed"]) == ("abc", 7)
    assert found["packages"]["numpy"] == package_version("numpy")
    assert found["source_sha"] == library_sha()
    assert package_version("no-such-package") is None


def test_the_machine_in_words() -> None:
    found = lineage("abc", 7)["machine"]
    assert found["cores"] >= 1
    assert found["processor"] in machine_text(found)
    two = {"processor": "EPYC", "cores": 2, "gpus": ["H100"]}
    assert machine_text(two) == "2 cores, EPYC, H100"
    assert machine_text({"cores": 1}) == "1 core"
    assert machine_text({}) == ""
