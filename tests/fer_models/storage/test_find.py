"""Artifacts are found by the beginning of their id, or by their URL in this store only."""

import os
from pathlib import Path

import pytest

from fer_models.errors import StoreError
from fer_models.storage.find import find_id
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

_ID = "small-0123"


def _fill(store: ArtifactStore) -> None:
    store.put(SnapshotRef, _ID, {"note.txt": b"hello"}, {})
    store.put(ModelRef, _ID, {"note.txt": b"hello"}, {}, name="small")


def test_the_beginning_of_an_id_and_a_url_of_the_store_find_an_artifact(
    any_store: ArtifactStore,
) -> None:
    _fill(any_store)
    url = any_store.artifact_url(ModelRef, _ID)
    for text in (_ID, "small", "small/", url, f"{url}/", url.removesuffix("0123")):
        assert find_id(any_store, ModelRef, text) == _ID


@pytest.mark.parametrize(
    "text",
    [
        *("nowhere/small", "nowhere/models/small", "/small", "models/small"),
        *("s3://other/models/small", "s3://small", "file:///models/small", "{url}/small"),
        *("{url}/datasets/small", "{url}/old/models/small", "{url}-old/models/small"),
    ],
)
def test_a_path_of_another_place_finds_no_artifact_of_this_store(
    any_store: ArtifactStore, text: str
) -> None:
    _fill(any_store)
    given = text.format(url=any_store.url)
    with pytest.raises(StoreError) as refused:
        find_id(any_store, ModelRef, given)
    message = refused.value.message
    assert f"expected an id, its beginning, or {any_store.url}/models/ID" in message
    assert f"got {given!r}; pass an id of this store, or the store that it is in" in message
    assert message.endswith("(--store); if it is a bundle, name its .json file")


@pytest.mark.parametrize("text", ["", " ", "/", "//"])
def test_an_empty_text_finds_nothing_even_if_there_is_only_one(
    any_store: ArtifactStore, text: str
) -> None:
    _fill(any_store)
    with pytest.raises(StoreError, match=r"expected an id, .*, got .*, which names none; pass"):
        find_id(any_store, SnapshotRef, text)


def test_a_path_into_the_folder_of_the_store_finds_an_artifact(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(store)
    monkeypatch.chdir(store.local_root)
    for text in ("models/small", "./models/small/", "../store/models/small"):
        assert find_id(store, ModelRef, text) == _ID
    monkeypatch.chdir(store.local_root.parent)
    path = Path(os.path.relpath(store.local_root)) / "models" / _ID
    assert find_id(store, ModelRef, str(path)) == _ID
