"""`ferflow store`: what it prints, its exit codes, repair and collection."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from deployments.cli.store.group import command
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import DecisionsRef, ModelRef, SnapshotRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep.activity import CollectionLock


def _check(store: ArtifactStore, *options: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(command, ["check", "--store", store.url, *options])
    return result.exit_code, result.stdout, result.stderr


def _fill(store: ArtifactStore) -> None:
    store.put(SnapshotRef, "data-1", {"images": b"pixels"}, {})
    store.put(ModelRef, "model-1", {"weights": b"1234"}, {"snapshot_id": "data-1"}, name="m")
    Registry(store).set(CHAMPION, "model-1", "the first")


def test_a_whole_store(store: ArtifactStore) -> None:
    _fill(store)
    code, text, _ = _check(store)
    assert code == 0
    assert text.startswith(f"2 artifacts in {store.url}: all whole")


def test_damage_is_listed_with_what_uses_it(store: ArtifactStore) -> None:
    _fill(store)
    store.write_bytes("datasets/data-1/images", b"PIXELS")
    assert _check(store)[0] == 0
    code, text, error = _check(store, "--deep")
    assert code == 2
    assert "datasets/data-1 (used by models/model-1)\n  images has other bytes" in text
    assert "1 damaged artifact; add --repair" in error


def _facts(store: ArtifactStore, *options: str) -> tuple[int, dict[str, Any]]:
    code, text, _ = _check(store, "--json", *options)
    facts: dict[str, Any] = json.loads(text.splitlines()[-1])
    return code, facts


def test_a_damaged_store_is_described_in_json(store: ArtifactStore) -> None:
    _fill(store)
    store.write_bytes("models/model-1/weights", b"")
    code, facts = _facts(store)
    assert code == 2
    [damaged] = facts["damaged"]
    assert (damaged["folder"], damaged["id"]) == ("models", "model-1")
    assert damaged["faults"] == ["weights has 0 bytes, expected 4"]
    assert facts["lost_aliases"] == {CHAMPION: "model-1"}
    assert (facts["forgotten"], facts["repaired"]) == ([], False)


def test_a_repaired_store_is_whole_after_the_next_run(store: ArtifactStore) -> None:
    _fill(store)
    store.write_bytes("datasets/data-1/images", b"")
    arguments = ["store", "check", "--store", store.url, "--repair", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "deployments", *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    facts = json.loads(done.stdout)
    assert facts["repaired"] is True
    assert facts["forgotten"] == ["datasets/data-1"]
    assert [one["id"] for one in facts["damaged"]] == ["data-1"]
    assert "forgot 1 artifact: run again what made them" in done.stderr
    _fill(store)
    assert _check(store)[0] == 0


def test_a_champion_without_a_model_is_no_success_of_a_repair(store: ArtifactStore) -> None:
    _fill(store)
    store.write_bytes("models/model-1/weights", b"")
    for options in (("--repair",), ("--repair",), ()):
        code, text, error = _check(store, *options)
        assert code == 2
        assert "1 champion without a model" in error
        assert "champion points to model-1, which is missing" in text
    _fill(store)
    assert _check(store)[0] == 0


def test_a_repair_says_what_it_leaves_damaged(store: ArtifactStore) -> None:
    _fill(store)
    store.put(DecisionsRef, "by-ann", {"decisions.csv": b"a,b"}, {}, version=1)
    store.write_bytes("decisions/by-ann/decisions.csv", b"")
    lasting = "1 damaged artifact that no run makes again; restore the files from a backup"
    code, text, error = _check(store)
    assert code == 2
    assert lasting in error
    assert "--repair" not in error
    code, text, error = _check(store, "--repair")
    assert code == 2
    assert lasting in error
    assert "forgot" not in text
    store.write_bytes("datasets/data-1/images", b"")
    code, facts = _facts(store, "--repair")
    assert code == 2
    assert facts["forgotten"] == ["datasets/data-1"]
    assert facts["repaired"] is False


def _invoke(store: ArtifactStore, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, [arguments[0], "--store", store.url, *arguments[1:]])
    return result.exit_code, result.stdout


_OLD = ("--keep-days", "0", "--keep-runs", "0", "--min-age-h", "0")


def test_gc_lists_and_deletes_only_when_told(store: ArtifactStore) -> None:
    _fill(store)
    store.put(ModelRef, "model-2", {"weights": b"5" * 2_000_000}, {}, name="m")
    time.sleep(0.05)  # the clocks of file systems are coarse
    code, text = _invoke(store, "gc")
    assert code == 0
    assert "to delete  0.0 MB: 0 artifacts" in text
    code, text = _invoke(store, "gc", *_OLD)
    assert code == 0
    assert "to delete  2.0 MB: 1 artifact, 0 runs, 0 other objects" in text
    assert "nothing was deleted: add --delete" in text
    assert "model-2" in store.list_ids(ModelRef)
    code, text = _invoke(store, "gc", *_OLD, "--delete", "--json")
    assert code == 0
    facts = json.loads(text.splitlines()[-1])
    assert facts["artifacts"] == ["models/model-2"]
    assert facts["deleted"] is True
    assert facts["bytes"] > 2_000_000
    assert store.list_ids(ModelRef) == ["model-1"]  # the champion
    assert _check(store, "--deep")[0] == 0


def test_a_second_gc_is_told_about_the_first(store: ArtifactStore) -> None:
    _fill(store)
    with CollectionLock(store.backend):
        result = CliRunner().invoke(command, ["gc", "--delete", "--store", store.url])
        assert result.exit_code == 2
        assert "another collection is running" in result.stderr
        assert _invoke(store, "gc")[0] == 0  # it only lists


def test_size_by_kind_and_by_run(store: ArtifactStore) -> None:
    _fill(store)
    store.write_bytes("history/20260101T000000Z-abcdef.json", b'{"models": "model-1"}')
    code, text = _invoke(store, "size", "--json")
    assert code == 0
    facts = json.loads(text.splitlines()[-1])
    assert {one["kind"]: one["count"] for one in facts["kinds"]} == {
        "datasets": 1,
        "models": 1,
        "registry": 1,
        "history": 1,
    }
    [run] = facts["runs"]
    assert run["run"] == "20260101T000000Z-abcdef"
    assert run["num_bytes"] == run["own_bytes"] > 0
    code, text = _invoke(store, "size")
    assert code == 0
    assert "datasets" in text
    assert "20260101T000000Z-abcdef" in text


@pytest.mark.parametrize("line", ["check", "check --deep --repair", "size", "gc", "gc --delete"])
@pytest.mark.parametrize("name", ["typo/x", "empty", "file"])
def test_where_no_store_is_none_is_checked_and_none_is_created(
    tmp_path: Path, line: str, name: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    got = {"empty": "an empty folder", "file": "a file", "typo/x": "no such folder"}[name]
    url = str(tmp_path / name)
    result = CliRunner().invoke(command, [*line.split(), "--store", url, "--json"])
    assert result.exit_code == 2, result.output
    error = json.loads(result.stdout.splitlines()[-1])["error"]
    assert f"{url}: expected a store, got {got}; check --store" in error
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["empty", "file"]


@pytest.mark.s3
@pytest.mark.parametrize("line", ["check", "size", "gc --delete"])
def test_an_empty_prefix_is_no_store(s3_store_url: str, line: str) -> None:
    store = ArtifactStore(StoreConfig(url=f"{s3_store_url}/typo"))
    result = CliRunner().invoke(command, [*line.split(), "--store", store.url])
    assert result.exit_code == 2, result.output
    assert "typo: expected a store, got nothing below this prefix" in result.stderr
    assert not store.list_keys("")


def test_gc_does_not_touch_a_project_that_was_named_by_mistake(tmp_path: Path) -> None:
    """It has folders of the same names, with old files."""
    own = ("models/resnet/weights.pt", "datasets/faces/1.png", "checkpoints/last.ckpt", "notes.txt")
    store = ArtifactStore(StoreConfig(url=str(tmp_path)))
    for key in own:
        store.write_bytes(key, b"mine")
        os.utime(tmp_path / key, (1.0, 1.0))
    for line in (["gc"], ["gc", "--delete"]):
        done = CliRunner().invoke(command, [*line, "--store", store.url])
        assert done.exit_code == 2
        assert "no artifact and no record of a run; check --store" in done.stderr
    assert store.list_keys("") == sorted(own)
