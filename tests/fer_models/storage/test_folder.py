"""The folder backend."""

import multiprocessing
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_models.errors import StoreError
from fer_models.storage.config import StoreConfig
from fer_models.storage.folder import FolderBackend
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore

_key_parts = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]),
    min_size=1,
    max_size=12,
).filter(lambda part: not part.startswith(".") and not part.isspace())


def _race(url: str, rounds: int, name: str, barrier: object) -> list[bool]:
    store = ArtifactStore(StoreConfig(url=url))
    won = []
    for number in range(rounds):
        barrier.wait()  # type: ignore[attr-defined]
        won.append(store.create_bytes(f"log/{number}", name.encode()))
    return won


def test_exactly_one_of_racing_processes_creates_an_object(store: ArtifactStore) -> None:
    rounds, racers = 50, 3
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(racers) as pool:
        barrier = manager.Barrier(racers)
        jobs = [
            pool.apply_async(_race, (store.url, rounds, f"racer{i}", barrier))
            for i in range(racers)
        ]
        outcomes = [job.get(timeout=60) for job in jobs]
        pool.close()
        pool.join()

    for number in range(rounds):
        winners = [f"racer{i}" for i in range(racers) if outcomes[i][number]]
        assert winners == [store.read_bytes(f"log/{number}").decode()]


def test_without_hard_links_an_object_is_still_created_only_once(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert store.create_bytes("log/1", b"first")
    assert not store.create_bytes("log/1", b"second")
    assert store.read_bytes("log/1") == b"first"


@settings(max_examples=30)
@given(parts=st.lists(_key_parts, min_size=1, max_size=3), data=st.binary(max_size=100))
def test_any_key_and_bytes_round_trip(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], data: bytes
) -> None:
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("store"))))
    key = "/".join(parts)
    store.write_bytes(key, data)
    assert store.has(key)
    assert store.read_bytes(key) == data
    assert store.list_keys("") == [key]
    assert not store.create_bytes(key, b"other")


def test_nothing_is_created_before_the_first_write(store: ArtifactStore) -> None:
    assert not store.exists(SnapshotRef(id="x", url=""))
    assert store.list_ids(SnapshotRef) == []
    assert not store.local_root.exists()


def test_a_failed_write_leaves_no_files(store: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="can't be used"):
        store._backend.upload("a/b", tmp_path / "absent")
    assert list(store.local_root.rglob("*")) == [store.local_root / "a"]


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_urls_of_the_same_folder(tmp_path: Path, prefix: str) -> None:
    store = ArtifactStore(StoreConfig(url=f"{prefix}{tmp_path}/store/"))
    assert store.url == f"file://{tmp_path}/store"
    assert store.is_local


def test_a_relative_folder_is_resolved_when_the_store_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = ArtifactStore(StoreConfig(url="store"))
    monkeypatch.chdir("/")
    store.write_bytes("k", b"")
    assert (tmp_path / "store" / "k").exists()


def test_a_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    store = ArtifactStore(StoreConfig(url=str(tmp_path / "store")))
    with pytest.raises(StoreError, match="a file exists where a folder is needed; choose another"):
        store.check_writable()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_folder_that_cannot_be_created_is_reported() -> None:
    store = ArtifactStore(StoreConfig(url="/proc/ferflow"))
    with pytest.raises(StoreError, match=r"store file:///proc/ferflow can't be used: .*choose"):
        store.put(SnapshotRef, "x", {"a": b""}, {})


@pytest.mark.parametrize("url", ["file://", "~no-such-user/store", "file://~no-such-user/store"])
def test_a_store_without_a_folder_is_refused(url: str) -> None:
    """`file://` alone wrote into the current folder."""
    with pytest.raises(StoreError, match=r"expected a folder, got .*--store"):
        ArtifactStore(StoreConfig(url=url))


def test_a_new_store_whose_last_object_is_removed_is_gone_with_its_folders(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    backend = FolderBackend(str(tmp_path / "kept" / "new" / "store"))
    backend.write("running/a/start", b"")
    backend.write("other/b", b"")
    backend.remove_folder("running/a")
    assert [path.name for path in backend.root.iterdir()] == ["other"]
    backend.remove("other/b")
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]


def test_the_folders_of_an_earlier_store_stay(tmp_path: Path) -> None:
    (tmp_path / "store" / "running").mkdir(parents=True)
    backend = FolderBackend(str(tmp_path / "store"))
    backend.write("running/a/start", b"")
    backend.remove_folder("running/a")
    assert [path.name for path in backend.root.iterdir()] == ["running"]
