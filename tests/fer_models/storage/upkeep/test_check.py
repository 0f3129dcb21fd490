"""Damage in a store is found, with what refers to it, and repaired by the next run."""

import pytest

from fer_models.storage.refs import (
    DecisionsRef,
    LabelledRef,
    ModelRef,
    SelectionRef,
    SnapshotRef,
)
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep.check import CheckedStore, check_store, repair_store


def _fill(store: ArtifactStore) -> None:
    store.put(SnapshotRef, "data-1", {"images": b"pixels"}, {})
    store.put(ModelRef, "model-1", {"weights": b"1234"}, {"snapshot_id": "data-1"}, name="m")
    store.put(DecisionsRef, "by-ann", {"decisions.csv": b"a,b"}, {}, version=1)
    Registry(store).set(CHAMPION, "model-1", "the first")


def _found(checked: CheckedStore) -> dict[str, tuple[str, ...]]:
    return {f"{one.folder}/{one.id}": one.faults for one in checked.damaged}


def test_a_whole_store_has_no_damage(any_store: ArtifactStore) -> None:
    _fill(any_store)
    assert check_store(any_store, deep=True) == CheckedStore(3, (), {})


def test_missing_cut_and_changed_files_are_found(any_store: ArtifactStore) -> None:
    _fill(any_store)
    any_store.write_bytes("models/model-1/weights", b"12")
    any_store.write_bytes("datasets/data-1/images", b"PIXELS")
    shallow = check_store(any_store)
    assert _found(shallow) == {"models/model-1": ("weights has 2 bytes, expected 4",)}
    assert shallow.lost_aliases == {CHAMPION: "model-1"}
    deep = check_store(any_store, deep=True)
    assert _found(deep)["datasets/data-1"] == ("images has other bytes than were written",)
    users = {one.id: one.used_by for one in deep.damaged}
    assert users == {"data-1": ("models/model-1",), "model-1": (CHAMPION,)}


def test_what_was_repaired_is_made_again(any_store: ArtifactStore) -> None:
    _fill(any_store)
    any_store.write_bytes("datasets/data-1/images", b"PIXELS")
    any_store.write_bytes("models/model-1/artifact.json", b"{")
    checked = check_store(any_store, deep=True)
    assert repair_store(any_store, checked) == checked.damaged
    _fill(any_store)
    assert check_store(any_store, deep=True) == CheckedStore(3, (), {})


def test_decisions_of_people_are_never_forgotten(store: ArtifactStore) -> None:
    _fill(store)
    store.write_bytes("decisions/by-ann/decisions.csv", b"x,y")
    checked = check_store(store, deep=True)
    assert "backup" in checked.damaged[0].remedy
    assert checked.damaged[0].is_peoples_work
    assert repair_store(store, checked) == ()
    assert store.exists(store.ref(DecisionsRef, "by-ann", version=1))


def test_labels_of_people_outlive_a_damaged_selection(store: ArtifactStore) -> None:
    """All versions share the faces of their selections, and no run makes either again."""
    faces = {"faces.parquet": b"faces"}
    selection = store.put(SelectionRef, "chosen", faces, {}, page_url="")
    linked = {"chosen.parquet": store.describe(selection).files["faces.parquet"]}
    labels = {"labels.parquet": b"labels"}
    version = store.put(LabelledRef, "by-ann", labels, {}, linked=linked, version=1)
    store.write_bytes("selections/chosen/faces.parquet", b"FACES")
    checked = check_store(store, deep=True)
    assert {one.folder for one in checked.damaged} == {"selections", "labelled"}
    assert all("backup" in one.remedy for one in checked.damaged)
    repair_store(store, checked)
    store.write_bytes("selections/chosen/faces.parquet", b"faces")  # from the backup
    assert store.exists(version)
    assert not check_store(store, deep=True).damaged


@pytest.mark.parametrize("removed", ["models", "models/model-1/weights"])
def test_a_champion_without_a_model_is_reported(store: ArtifactStore, removed: str) -> None:
    _fill(store)
    store.remove_folder("models") if removed == "models" else store.write_bytes(removed, b"")
    assert check_store(store).lost_aliases == {CHAMPION: "model-1"}
