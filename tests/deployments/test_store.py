"""`ferflow store check`: what it prints, its exit codes, its repair."""

import json
import subprocess
import sys

from click.testing import CliRunner

from deployments.cli.store.group import command
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore


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


def test_a_repaired_store_is_whole_after_the_next_run(store: ArtifactStore) -> None:
    _fill(store)
    store.write_bytes("models/model-1/weights", b"")
    arguments = ["store", "check", "--store", store.url, "--repair", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "deployments", *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    facts = json.loads(done.stdout)
    assert facts["repaired"] is True
    assert [one["id"] for one in facts["damaged"]] == ["model-1"]
    code, text, error = _check(store)
    assert code == 2
    assert "1 champion without a model" in error
    assert "champion points to model-1, which is missing" in text
    _fill(store)
    assert _check(store)[0] == 0
