"""The registry: an alias points to the model of its last entry; lost races are detected."""

import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_models.errors import StoreError
from fer_models.storage import log as log_module
from fer_models.storage.config import StoreConfig
from fer_models.storage.log import LostRaceError
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore


@pytest.fixture(autouse=True)
def no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "_SETTLE_S", 0.01)


def test_an_alias_that_was_never_set_is_none(any_store: ArtifactStore) -> None:
    assert Registry(any_store).current(CHAMPION) is None
    assert Registry(any_store).history() == []


def test_an_alias_points_to_its_last_entry_and_a_rollback_appends_one(
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


def test_a_lost_race_is_reported_and_changes_nothing(
    any_store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = any_store.create_bytes

    def create_late(key: str, data: bytes) -> bool:
        monkeypatch.setattr(any_store, "create_bytes", create)
        Registry(any_store).set(CHAMPION, "theirs", "came first")
        return create(key, data)

    monkeypatch.setattr(any_store, "create_bytes", create_late)
    with pytest.raises(
        StoreError, match=r"entry 1 of .* written by another run.*promote ours again"
    ):
        Registry(any_store).set(CHAMPION, "ours", "came second")
    assert [entry.model_id for entry in Registry(any_store).history()] == ["theirs"]


def _injected(
    monkeypatch: pytest.MonkeyPatch, store: ArtifactStore, when: str, inject: Callable[[], object]
) -> None:
    """Run `inject` once, just before or just after the next listing of the registry's log."""
    list_keys = store.list_keys

    def listing(prefix: str) -> list[str]:
        monkeypatch.setattr(store, "list_keys", list_keys)
        if when == "before":
            inject()
            return list_keys(prefix)
        keys = list_keys(prefix)
        inject()
        return keys

    monkeypatch.setattr(store, "list_keys", listing)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("first", [True, False])
def test_a_change_since_the_expected_entry_is_a_lost_race(
    any_store: ArtifactStore, monkeypatch: pytest.MonkeyPatch, when: str, first: bool
) -> None:
    registry = Registry(any_store)
    compared_with = None if first else registry.set(CHAMPION, "old", "first")
    _injected(monkeypatch, any_store, when, lambda: Registry(any_store).set(CHAMPION, "rival", ""))

    with pytest.raises(LostRaceError, match=r"another run.*then promote ours again"):
        registry.set(CHAMPION, "ours", "better than the old one", expected=compared_with)

    models = [entry.model_id for entry in registry.history()]
    assert models == (["rival"] if first else ["old", "rival"])


def test_a_lost_race_names_both_champions(store: ArtifactStore) -> None:
    registry = Registry(store)
    old = registry.set(CHAMPION, "old", "first")
    registry.set(CHAMPION, "rival", "better")
    with pytest.raises(LostRaceError, match="changed the champion from old to rival before ours"):
        registry.set(CHAMPION, "ours", "better", expected=old)
    with pytest.raises(LostRaceError, match="changed the champion from none to rival before ours"):
        registry.set(CHAMPION, "ours", "better", expected=None)


def test_a_promotion_and_rollback_in_between_is_a_lost_race(store: ArtifactStore) -> None:
    registry = Registry(store)
    old = registry.set(CHAMPION, "old", "first")
    registry.set(CHAMPION, "rival", "better")
    registry.set(CHAMPION, "old", "rolled back")
    with pytest.raises(LostRaceError):
        registry.set(CHAMPION, "ours", "better", expected=old)


def test_a_change_of_another_alias_is_not_a_lost_race(store: ArtifactStore) -> None:
    registry = Registry(store)
    registry.set("shadow", "model-c", "to compare")
    assert registry.set(CHAMPION, "first", "", expected=None).previous_id is None
    current = registry.current(CHAMPION)
    registry.set("shadow", "model-d", "to compare")
    entry = registry.set(CHAMPION, "second", "better", expected=current)
    assert (entry.number, entry.previous_id) == (4, "first")


def test_an_entry_overwritten_by_a_racing_writer_is_a_lost_race(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overwritten(key: str, data: bytes) -> bool:
        store.write_bytes(key, data.replace(b"ours", b"their"))
        return True

    monkeypatch.setattr(store, "create_bytes", overwritten)
    with pytest.raises(StoreError, match="written by another run"):
        Registry(store).set(CHAMPION, "ours", "came first")


def test_a_request_that_was_sent_twice_is_not_a_lost_race(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = store.create_bytes

    def sent_twice(key: str, data: bytes) -> bool:
        create(key, data)
        return create(key, data)

    monkeypatch.setattr(store, "create_bytes", sent_twice)
    assert Registry(store).set(CHAMPION, "ours", "once").number == 1


def test_a_damaged_entry_is_reported_with_its_key(store: ArtifactStore) -> None:
    Registry(store).set(CHAMPION, "a", "x")
    store.write_bytes("registry/log/00000001.json", b"{}")
    with pytest.raises(StoreError, match=r"registry/log/00000001\.json: expected a registry entry"):
        Registry(store).current(CHAMPION)


_changes = st.lists(
    st.tuples(st.sampled_from(["champion", "previous", "shadow"]), st.text(string.ascii_letters)),
    max_size=8,
)


@settings(max_examples=25)
@given(changes=_changes)
def test_the_registry_behaves_like_a_dictionary_with_a_history(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, str]]
) -> None:
    registry = Registry(ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("store")))))
    expected: dict[str, Any] = {}
    for alias, model_id in changes:
        assert registry.set(alias, model_id, "").previous_id == expected.get(alias)
        expected[alias] = model_id

    assert [(entry.alias, entry.model_id) for entry in registry.history()] == changes
    for alias in ("champion", "previous", "shadow"):
        current = registry.current(alias)
        assert (current.model_id if current else None) == expected.get(alias)
