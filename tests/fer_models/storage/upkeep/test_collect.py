"""A collection removes what nothing needs, and may be killed at any point."""

import itertools
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings

from fer_models.storage.config import StoreConfig
from fer_models.storage.folder import FolderBackend
from fer_models.storage.refs import (
    ArtifactRef,
    CopiesRef,
    DecisionsRef,
    LabelledRef,
    ModelRef,
    PredictionsRef,
    ReviewRef,
    SelectionRef,
    SnapshotRef,
)
from fer_models.storage.registry import Registry
from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep.activity import running_in
from fer_models.storage.upkeep.check import check_store
from fer_models.storage.upkeep.collect import collect
from fer_models.storage.upkeep.config import RetentionConfig
from fer_models.storage.upkeep.contents import read_contents
from fer_models.storage.upkeep.plan import plan_collection
from tests.fer_models.storage.upkeep.graphs import Graph, build, graphs

NOTHING_BY_AGE = RetentionConfig(keep_days=0, keep_runs=1, min_age_h=0)
HOUR_S = 3600.0


class KilledError(Exception):
    """The process died here."""


class Dying(FolderBackend):
    """A folder that dies instead of the removal after `left` others."""

    def __init__(self, folder: str, left: int) -> None:
        super().__init__(folder)
        self.left = left

    def remove(self, key: str) -> None:
        if self.left == 0 and not key.startswith((".probe", "upkeep")):
            raise KilledError
        super().remove(key)
        self.left -= not key.startswith((".probe", "upkeep"))


def names(store: ArtifactStore) -> set[str]:
    return set(read_contents(store).artifacts)


def age(store: ArtifactStore, key: str, hours: float) -> None:
    """Let an artifact, or any key, be some hours old."""
    path = store.local_root / key
    then_s = time.time() - hours * HOUR_S
    for file in [path] if path.is_file() else path.rglob("*"):
        os.utime(file, (then_s, then_s))


@settings(max_examples=5)
@given(graph=graphs(max_nodes=5))
def test_a_kill_at_any_point_leaves_a_whole_store(graph: Graph) -> None:
    _kill_at_every_point(graph)


@pytest.mark.slow
@settings(max_examples=100)
@given(graph=graphs(max_nodes=8))
def test_a_kill_at_any_point_leaves_larger_stores_whole(graph: Graph) -> None:
    _kill_at_every_point(graph)


def _kill_at_every_point(graph: Graph) -> None:
    expected = graph.reachable(keep_runs=1)
    with tempfile.TemporaryDirectory() as folder:
        made = ArtifactStore(StoreConfig(url=f"{folder}/made"))
        build(made, graph)
        age(made, "", 1)
        for removals in itertools.count():
            copy = f"{folder}/{removals}"
            shutil.copytree(f"{folder}/made", copy)  # with its times
            dying = ArtifactStore(StoreConfig(url=copy), backend=Dying(copy, removals))
            try:
                collect(dying, NOTHING_BY_AGE)
                survived = True
            except KilledError:
                survived = False
            store = ArtifactStore(StoreConfig(url=copy))
            _is_whole(store, graph, expected)
            collect(store, NOTHING_BY_AGE)
            assert names(store) == expected
            _has_only(store, expected)
            shutil.rmtree(copy)
            if survived:
                break


def _is_whole(store: ArtifactStore, graph: Graph, expected: set[str]) -> None:
    checked = check_store(store, deep=True)
    assert checked.damaged == ()
    left = names(store)
    assert expected <= left
    everything = graph.names()
    assert {everything[named[-1]] for named in graph.aliases.values()} <= left
    for number, node in enumerate(graph.nodes):
        if everything[number] in left:
            assert {everything[target] for target in node.targets} <= left
    for key in store.list_keys("history"):
        named = json.loads(store.read_bytes(key))["artifacts"]
        assert {everything[int(one[-2:])] for one in named} <= left


def _has_only(store: ArtifactStore, expected: set[str]) -> None:
    """No file is left of what was removed, and no empty folder."""
    kinds = {"datasets", "models", "evaluations", "ensembles", "runs"}
    for folder in store.local_root.rglob("*"):
        parts = folder.relative_to(store.local_root).parts
        if parts[0] in kinds and len(parts) > 1:
            assert "/".join(parts[:2]) in expected
    assert not [path for path in store.local_root.rglob(".?*") if path.is_file()]


def _chain(store: ArtifactStore) -> tuple[ArtifactRef, ArtifactRef]:
    data = store.put(SnapshotRef, "data-01", {"images": b"pixels"}, {})
    model = store.put(ModelRef, "model-01", {"weights": b"12"}, {"snapshot": data.id}, name="m")
    return data, model


def test_a_plan_deletes_nothing(store: ArtifactStore) -> None:
    _chain(store)
    age(store, "", 1)
    before = store.list_keys("")
    plan = plan_collection(store, NOTHING_BY_AGE)
    assert [one.name for one in plan.artifacts] == ["models/model-01", "datasets/data-01"]
    assert store.list_keys("") == before


def test_a_collection_deletes_what_nothing_needs(any_store: ArtifactStore) -> None:
    _chain(any_store)
    any_store.write_bytes("models/killed-1/weights", b"half")
    kept = any_store.put(ModelRef, "model-02", {"weights": b"34"}, {}, name="m")
    Registry(any_store).set("a-person's-alias@3", kept.id, "by the test")
    pass_time(any_store)
    left = [key for key in any_store.list_keys("") if "-01/" not in key and "killed" not in key]
    plan = collect(any_store, NOTHING_BY_AGE)
    assert [one.name for one in plan.artifacts] == ["models/model-01", "datasets/data-01"]
    assert plan.leftovers == ("models/killed-1/weights",)
    assert any_store.list_keys("") == left
    assert check_store(any_store, deep=True).damaged == ()


@pytest.mark.s3
@pytest.mark.slow
def test_uploads_in_parts_of_killed_writers_are_ended(s3_store_url: str) -> None:
    store = ArtifactStore(StoreConfig(url=s3_store_url))
    store.write_bytes("latest/x.json", b"{}")
    bucket, _, prefix = s3_store_url.removeprefix("s3://").partition("/")
    fs = store.backend._connection.fs  # type: ignore[attr-defined]
    key = f"{prefix}/models/half-1/weights"
    started = fs.call_s3("create_multipart_upload", Bucket=bucket, Key=key)
    fs.call_s3(
        "upload_part",
        Bucket=bucket,
        Key=key,
        UploadId=started["UploadId"],
        PartNumber=1,
        Body=b"x" * (5 << 20),
    )
    assert collect(store, RetentionConfig()).abandoned == ()
    pass_time(store)
    assert len(collect(store, NOTHING_BY_AGE).abandoned) == 1
    assert store.backend.abandoned() == {}


def test_what_is_recent_is_kept(store: ArtifactStore) -> None:
    retention = RetentionConfig(keep_days=2, keep_runs=0, min_age_h=1)
    data, model = _chain(store)
    store.put(ModelRef, "model-02", {"weights": b"34"}, {}, name="m")
    age(store, "datasets", 1000)
    age(store, "models/model-01", 47)
    age(store, "models/model-02", 49)
    plan = collect(store, retention)
    assert [one.name for one in plan.artifacts] == ["models/model-02"]
    assert store.is_whole(data)
    age(store, "models/model-01", 49)
    assert store.reuse(model)  # a run took it from the store
    assert collect(store, retention).artifacts == ()
    age(store, "used", 49)
    assert len(collect(store, retention).artifacts) == 2
    assert store.list_keys("used") == []


def test_what_a_running_run_uses_is_kept_however_long_it_takes(store: ArtifactStore) -> None:
    _chain(store)
    with running_in(store, "run-1"):
        age(store, "running/run-1/start", 100)
        age(store, "models", 99)
        age(store, "datasets", 200)
        store.write_bytes("models/being-written/weights", b"12")
        age(store, "models/being-written", 99)
        plan = collect(store, NOTHING_BY_AGE)
        assert plan.artifacts == ()
        assert plan.leftovers == ()
        age(store, "running/run-1/beat", 1)  # killed
        assert len(plan_collection(store, NOTHING_BY_AGE).artifacts) == 2
    assert len(collect(store, NOTHING_BY_AGE).artifacts) == 2


def test_decisions_and_an_open_review_are_kept(store: ArtifactStore) -> None:
    data, _ = _chain(store)
    for number in (1, 2):
        facts = {"snapshot": data.id}
        store.put(ReviewRef, f"review-{number}", {"p": b"p"}, facts, page_url="")
        age(store, f"reviews/review-{number}", 100 - number)
    store.put(DecisionsRef, "by-ann", {"decisions.csv": b"a"}, {}, version=1)
    age(store, "decisions", 99)
    age(store, "datasets", 99)
    age(store, "models", 99)
    assert names_after(store) == {"datasets/data-01", "reviews/review-2", "decisions/by-ann"}
    store.write_bytes("decisions/log/00000001.json", b"{}")
    assert names_after(store) == {"decisions/by-ann"}


def test_labels_of_new_faces_and_predictions_are_kept(store: ArtifactStore) -> None:
    faces = {"faces.parquet": b"f"}
    for name in ("chosen-1", "chosen-2"):
        store.put(SelectionRef, name, faces, {"chosen": name}, page_url="")
    shared = store.describe(store.ref(SelectionRef, "chosen-1", page_url="")).files
    store.put(LabelledRef, "labels-1", {"labels.parquet": b"l"}, {}, linked=shared, version=1)
    store.write_bytes("labelled/log/00000001.json", b"{}")
    made = {"model_id": "m", "num_faces": 0, "report_url": ""}
    store.put(PredictionsRef, "batch-1", faces, {}, **made)
    for folder in ("selections", "labelled", "predictions"):
        age(store, folder, 99)
    age(store, "selections/chosen-2", 100)
    expected = {"selections/chosen-1", "labelled/labels-1", "predictions/batch-1"}
    assert names_after(store) == expected
    assert store.has("labelled/log/00000001.json")


def pass_time(store: ArtifactStore) -> None:
    """Until what was written is older than now: some storages tell times in whole seconds."""
    time.sleep(0.05 if store.is_local else 2.5)


def names_after(store: ArtifactStore) -> set[str]:
    pass_time(store)
    collect(store, NOTHING_BY_AGE)
    return names(store)


def test_latest_outputs_and_the_copies_of_kept_data_stay(store: ArtifactStore) -> None:
    data, _ = _chain(store)
    store.put(CopiesRef, "copies-1", {"c": b"c"}, {"snapshot_id": data.id})
    store.put(CopiesRef, "copies-2", {"c": b"c"}, {"snapshot_id": "model-01"})
    store.write_bytes("latest/split.json", data.model_dump_json().encode())
    assert names_after(store) == {"datasets/data-01", "copies/copies-1"}


def test_results_of_what_is_gone_are_removed_and_others_stay(store: ArtifactStore) -> None:
    data, model = _chain(store)
    store.write_bytes("latest/split.json", data.model_dump_json().encode())
    for name, ref in (("split-1", data), ("train-1", model)):
        store.write_bytes(f"results/{name}", json.dumps({"result": ref.model_dump_json()}).encode())
    store.write_bytes("results/gate-1", b'{"result": "null"}')
    pass_time(store)
    assert collect(store, NOTHING_BY_AGE).results == ("results/train-1",)
    assert store.list_keys("results") == ["results/gate-1", "results/split-1"]


def test_temporary_files_of_killed_writers_are_removed(
    store: ArtifactStore, tmp_path: Path
) -> None:
    _chain(store)
    left = store.local_root / "models" / "model-09" / f".{'0' * 32}"
    left.parent.mkdir()
    left.write_bytes(b"half")
    hidden = store.local_root / ".gitignore"
    hidden.write_bytes(b"*")
    assert collect(store, RetentionConfig()).abandoned == ()
    pass_time(store)
    plan = collect(store, NOTHING_BY_AGE)
    assert plan.abandoned == (f"models/model-09/.{'0' * 32}",)
    assert not left.parent.exists()
    assert hidden.exists()


def test_a_file_directly_in_the_folder_of_a_kind_is_not_of_ferflow(
    any_store: ArtifactStore,
) -> None:
    any_store.put(ModelRef, "model-01", {"weights": b"34"}, {}, name="m")
    any_store.write_bytes("models/mine.pt", b"mine")
    any_store.write_bytes("models/killed-1/weights", b"half")
    pass_time(any_store)
    plan = plan_collection(any_store, NOTHING_BY_AGE)
    assert plan.leftovers == ("models/killed-1/weights",)
