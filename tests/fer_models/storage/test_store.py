"""Behaviour of an artifact store with any backend."""

import json
from pathlib import Path

import pytest

from fer_models.errors import StoreError
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ARTIFACT_FILE, ArtifactStore


def _put(store: ArtifactStore, artifact_id: str = "one", data: bytes = b"hello") -> SnapshotRef:
    return store.put(SnapshotRef, artifact_id, {"greeting.txt": data}, {"number": 1})


def test_an_artifact_round_trips(any_store: ArtifactStore, tmp_path: Path) -> None:
    weights = tmp_path / "weights of a model"
    weights.write_bytes(bytes(range(256)) * 1000)

    ref = any_store.put(
        ModelRef, "net-1", {"weights": weights, "a.json": b'{"x": 1}'}, {"seed": 3}, name="net"
    )

    assert ref == ModelRef(id="net-1", url=f"{any_store.url}/models/net-1", name="net")
    assert any_store.exists(ref)
    assert any_store.fetch(ref, "weights").read_bytes() == weights.read_bytes()
    assert any_store.read_json(ref, "a.json") == {"x": 1}
    assert any_store.info(ref) == {"seed": 3}
    assert list(any_store.describe(ref).files) == ["a.json", "weights"]
    assert weights.exists()


def test_a_reference_equals_that_of_the_written_artifact(any_store: ArtifactStore) -> None:
    ref = any_store.ref(ModelRef, "net-1", name="net", kind="ensemble")
    assert not any_store.exists(ref)
    assert any_store.put(ModelRef, "net-1", {}, {}, name="net", kind="ensemble") == ref
    assert any_store.exists(ref)
    assert ref.url == any_store.artifact_url(ModelRef, "net-1") == f"{any_store.url}/models/net-1"
    assert ref.store_url == any_store.url


def test_a_store_reopened_from_its_config_is_the_same(any_store: ArtifactStore) -> None:
    ref = _put(any_store)
    assert ArtifactStore(any_store.config).read_file(ref, "greeting.txt") == b"hello"


def test_an_existing_artifact_is_kept(any_store: ArtifactStore) -> None:
    _put(any_store, data=b"first")
    again = _put(any_store, data=b"second")
    assert any_store.read_file(again, "greeting.txt") == b"first"


def test_a_partial_artifact_is_invisible_and_can_be_rewritten(
    any_store: ArtifactStore,
) -> None:
    any_store.write_bytes("datasets/one/greeting.txt", b"from a run that was killed")
    ref = SnapshotRef(id="one", url="")

    assert not any_store.exists(ref)
    assert any_store.list_ids(SnapshotRef) == []
    with pytest.raises(StoreError, match="not found"):
        any_store.fetch(ref, "greeting.txt")

    assert any_store.read_file(_put(any_store), "greeting.txt") == b"hello"


def test_artifact_json_is_written_last(
    any_store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    write = any_store._backend.write

    def recorded_write(key: str, data: bytes) -> None:
        order.append(key.rsplit("/", 1)[1])
        write(key, data)

    monkeypatch.setattr(any_store._backend, "write", recorded_write)
    any_store.put(SnapshotRef, "one", {"z": b"1", "a": b"2"}, {})
    assert order == ["z", "a", ARTIFACT_FILE]


def test_damage_is_detected(any_store: ArtifactStore) -> None:
    ref = _put(any_store)
    any_store.write_bytes("datasets/one/greeting.txt", b"hullo")
    with pytest.raises(StoreError, match=r"greeting\.txt: damaged: expected 5 bytes"):
        any_store.fetch(ref, "greeting.txt")


def test_a_lost_file_is_reported(any_store: ArtifactStore) -> None:
    ref = _put(any_store)
    any_store._backend.remove("datasets/one/greeting.txt")
    with pytest.raises(StoreError, match=r"greeting\.txt: (the file is missing|not found)"):
        any_store.fetch(ref, "greeting.txt")


def test_a_damaged_description_is_reported(any_store: ArtifactStore) -> None:
    ref = _put(any_store)
    any_store.write_bytes(f"datasets/one/{ARTIFACT_FILE}", b'{"id": "one"')
    with pytest.raises(StoreError, match=r"artifact\.json: expected an artifact description"):
        any_store.info(ref)


@pytest.mark.parametrize("key", ["../../secret.txt", "/etc/passwd", "datasets/../../x", "a\\..\\b"])
def test_a_description_that_leads_out_of_the_store_is_refused(
    any_store: ArtifactStore, key: str
) -> None:
    ref = _put(any_store)
    described = json.loads(any_store.read_bytes(f"datasets/one/{ARTIFACT_FILE}"))
    described["files"]["greeting.txt"]["key"] = key
    any_store.write_bytes(f"datasets/one/{ARTIFACT_FILE}", json.dumps(described).encode())
    with pytest.raises(StoreError, match=r"artifact\.json: expected an artifact description"):
        any_store.fetch(ref, "greeting.txt")
    assert any_store.faults(ref) == ["artifact.json is no description of an artifact"]


def test_a_file_that_the_artifact_lacks_is_reported_with_those_it_has(
    any_store: ArtifactStore,
) -> None:
    with pytest.raises(StoreError, match=r"expected a file 'x', the artifact has greeting\.txt"):
        any_store.fetch(_put(any_store), "x")


def test_linked_files_are_shared_not_copied(any_store: ArtifactStore) -> None:
    entry = any_store.describe(_put(any_store)).files["greeting.txt"]
    child = any_store.put(SnapshotRef, "two", {"own": b"1"}, {}, linked={"greeting.txt": entry})

    assert any_store.read_file(child, "greeting.txt") == b"hello"
    assert any_store.list_keys("datasets/two") == [
        f"datasets/two/{ARTIFACT_FILE}",
        "datasets/two/own",
    ]


def test_ids_are_listed_by_kind_and_sorted(any_store: ArtifactStore) -> None:
    assert any_store.list_ids(SnapshotRef) == []
    for name in ("b", "a"):
        _put(any_store, name)
    any_store.put(ModelRef, "m", {f"sub/{ARTIFACT_FILE}": b"{}"}, {}, name="m")
    assert any_store.list_ids(SnapshotRef) == ["a", "b"]
    assert any_store.list_ids(ModelRef) == ["m"]


def test_names_may_contain_spaces_and_letters_of_any_language(any_store: ArtifactStore) -> None:
    inner = ArtifactStore(
        any_store.config.model_copy(update={"url": f"{any_store.url}/a b/größe+表情 %20"})
    )
    ref = inner.put(SnapshotRef, "id with blank", {"gesicht ü.txt": b"x"}, {"who": "Zoë"})

    assert inner.list_ids(SnapshotRef) == ["id with blank"]
    assert inner.read_file(ref, "gesicht ü.txt") == b"x"
    assert inner.info(ref) == {"who": "Zoë"}
    assert any_store.list_ids(SnapshotRef) == []


def test_objects_are_created_only_once(any_store: ArtifactStore) -> None:
    assert any_store.create_bytes("log/1", b"first")
    assert not any_store.create_bytes("log/1", b"second")
    assert any_store.read_bytes("log/1") == b"first"


def test_keys_below_a_prefix(any_store: ArtifactStore) -> None:
    for key in ("a/2", "a/1", "ab/3"):
        any_store.write_bytes(key, b"")
    assert any_store.list_keys("a") == ["a/1", "a/2"]
    assert any_store.list_keys("") == ["a/1", "a/2", "ab/3"]
    assert any_store.list_keys("nothing/here") == []


def test_an_object_exists_but_its_folder_is_not_an_object(any_store: ArtifactStore) -> None:
    any_store.write_bytes("a/b", b"")
    assert any_store.has("a/b")
    assert not any_store.has("a")
    assert not any_store.has("a/b/c")
    with pytest.raises(StoreError, match=r"a/c: not found; check --store"):
        any_store.read_bytes("a/c")


def test_the_write_probe_leaves_nothing(any_store: ArtifactStore) -> None:
    any_store.check_writable()
    assert any_store.list_keys("") == []


def test_metadata_must_be_finite_numbers(any_store: ArtifactStore) -> None:
    with pytest.raises(ValueError, match="JSON"):
        any_store.put(SnapshotRef, "one", {}, {"loss": float("nan")})
    assert any_store.list_ids(SnapshotRef) == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://host/x", "expected a folder, file://... or s3://bucket/prefix"),
        ("s3://", "no bucket given"),
        ("s3:///", "no bucket given"),
    ],
)
def test_an_unknown_url_is_rejected(url: str, message: str) -> None:
    from fer_models.storage.config import StoreConfig

    with pytest.raises(StoreError, match=message):
        ArtifactStore(StoreConfig(url=url))


def test_an_artifact_is_whole_only_with_all_its_files(any_store: ArtifactStore) -> None:
    def put() -> SnapshotRef:
        files: dict[str, Path | bytes] = {"a.txt": b"first", "b.txt": b"second"}
        return any_store.put(SnapshotRef, "an-id", files, {})

    assert not any_store.is_whole(any_store.ref(SnapshotRef, "an-id"))
    ref = put()
    assert any_store.is_whole(ref)
    for damaged in (b"sec", b"longer than before"):
        any_store.write_bytes("datasets/an-id/b.txt", damaged)
        assert any_store.exists(ref)
        assert not any_store.is_whole(ref)
        assert any_store.read_file(put(), "b.txt") == b"second"
    any_store.write_bytes("datasets/an-id/artifact.json", b"{")
    assert not any_store.is_whole(ref)
    assert any_store.read_file(put(), "a.txt") == b"first"


def test_a_linked_file_belongs_to_the_artifact(any_store: ArtifactStore) -> None:
    parent = any_store.put(SnapshotRef, "parent", {"images": b"pixels"}, {})
    entry = any_store.describe(parent).files["images"]
    child = any_store.put(SnapshotRef, "child", {}, {}, {"images": entry})
    assert any_store.is_whole(child)
    any_store.remove_folder("datasets/parent")
    assert not any_store.is_whole(child)
