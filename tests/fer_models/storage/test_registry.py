"""The registry: an alias is what the last entry says, and a lost race is told."""

import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_models.errors import StoreError
from fer_models.storage import log as log_module
from fer_models.storage.config import StoreConfig
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore


@pytest.fixture(autouse=True)
def no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "_SETTLE_S", 0.01)


def test_an_alias_that_was_never_set_is_nothing(any_store: ArtifactStore) -> None:
    assert Registry(any_store).current(CHAMPION) is None
    assert Registry(any_store).history() == []


def test_an_alias_follows_its_last_entry_and_a_rollback_is_one_more(
    any_store: ArtifactStore,
) -> None:
    registry = Registry(any_store)
    registry.set(CHAMPION, "model-a", "first", {"accuracy": 0.6})
    registry.set("shadow", "model-c", "to compare")
    second = registry.set(CHAMPION, "model-b", "better")
    assert (second.number, second.previous_id) == (3, "model-a")

    back = registry.set(CHAMPION, str(second.previous_id), "rollback")

    again = Registry(ArtifactStore(any_store.config))
    assert again.current(CHAMPION) == back
    assert [entry.model_id for entry in again.history(CHAMPION)] == [
        "model-a",
        "model-b",
        "model-a",
    ]
    assert [entry.number for entry in again.history()] == [1, 2, 3, 4]
    assert again.history()[0].details == {"accuracy": 0.6}


def test_a_lost_race_is_told_and_changes_nothing(
    any_store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = any_store.create_bytes

    def late(key: str, data: bytes) -> bool:
        monkeypatch.undo()
        Registry(any_store).set(CHAMPION, "theirs", "came first")
        return create(key, data)

    monkeypatch.setattr(any_store, "create_bytes", late)
    with pytest.raises(
        StoreError, match=r"entry 1 of .* written by another run.*promote ours again"
    ):
        Registry(any_store).set(CHAMPION, "ours", "came second")
    assert [entry.model_id for entry in Registry(any_store).history()] == ["theirs"]


def test_being_overwritten_by_a_store_that_decides_no_race_is_told(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def undecided(key: str, data: bytes) -> bool:
        store.write_bytes(key, data.replace(b"ours", b"their"))
        return True

    monkeypatch.setattr(store, "create_bytes", undecided)
    with pytest.raises(StoreError, match="written by another run"):
        Registry(store).set(CHAMPION, "ours", "came first")


def test_a_request_that_was_sent_twice_is_no_lost_race(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = store.create_bytes

    def answer_lost(key: str, data: bytes) -> bool:
        create(key, data)
        return create(key, data)

    monkeypatch.setattr(store, "create_bytes", answer_lost)
    assert Registry(store).set(CHAMPION, "ours", "once").number == 1


def test_a_damaged_entry_is_told_with_its_place(store: ArtifactStore) -> None:
    Registry(store).set(CHAMPION, "a", "x")
    store.write_bytes("registry/log/00000001.json", b"{}")
    with pytest.raises(StoreError, match=r"registry/log/00000001\.json: expected a registry entry"):
        Registry(store).current(CHAMPION)


_changes = st.lists(
    st.tuples(st.sampled_from(["champion", "previous", "shadow"]), st.text(string.ascii_letters)),
    max_size=8,
)


@settings(max_examples=25, deadline=None)
@given(changes=_changes)
def test_the_registry_is_a_dictionary_with_a_memory(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, str]]
) -> None:
    registry = Registry(ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("store")))))
    meaning: dict[str, Any] = {}
    for alias, model_id in changes:
        assert registry.set(alias, model_id, "").previous_id == meaning.get(alias)
        meaning[alias] = model_id

    assert [(entry.alias, entry.model_id) for entry in registry.history()] == changes
    for alias in ("champion", "previous", "shadow"):
        current = registry.current(alias)
        assert (current.model_id if current else None) == meaning.get(alias)
