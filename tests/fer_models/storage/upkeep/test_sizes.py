"""Sizes of a store, by kind and by run."""

import json

from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep.sizes import measure_store


def test_shared_files_count_once_and_runs_have_their_own(store: ArtifactStore) -> None:
    raw = store.put(SnapshotRef, "data-01", {"images": b"x" * 1000}, {})
    linked = {"images": store.describe(raw).files["images"]}
    split = store.put(SnapshotRef, "data-02", {"table": b"y" * 10}, {"parent": raw.id}, linked)
    for number in (1, 2):
        facts = {"snapshot": split.id}
        files = {"weights": b"w" * (100 * number)}
        store.put(ModelRef, f"model-0{number}", files, facts, name="m")
        record = json.dumps({"artifacts": [f"model-0{number}"]})
        store.write_bytes(f"history/2026010{number}.json", record.encode())
    sizes = measure_store(store)
    every = store.backend.listing("")
    assert sizes.num_bytes == sum(one.size for one in every.values())
    kinds = {one.kind: (one.count, one.num_bytes) for one in sizes.kinds}
    assert kinds["datasets"][0] == 2
    assert kinds["datasets"][1] == sum(
        one.size for key, one in every.items() if key.startswith("datasets/")
    )
    assert kinds["history"][0] == 2
    newest, oldest = sizes.runs
    assert (newest.run, oldest.run) == ("20260102", "20260101")
    for run, number in ((newest, 2), (oldest, 1)):
        own = [key for key in every if f"model-0{number}/" in key or f"0{number}.json" in key]
        assert run.own_bytes == sum(every[key].size for key in own)
        shared = [key for key in every if key.startswith("datasets/")]
        assert run.num_bytes == run.own_bytes + sum(every[key].size for key in shared)
