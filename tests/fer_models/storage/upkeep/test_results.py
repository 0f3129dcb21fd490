"""Which cached results a collection keeps."""

import json
import os
from pathlib import Path

import pytest

from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep.collect import collect
from fer_models.storage.upkeep.config import RetentionConfig
from fer_models.storage.upkeep.results import artifacts_in

KEEP_NOTHING_YOUNG = RetentionConfig(keep_days=0, keep_runs=0, min_age_h=0)


@pytest.mark.parametrize("folder", ["models/store", "datasets/fer", "store/predictions"])
def test_the_path_of_the_store_is_no_artifact(tmp_path: Path, folder: str) -> None:
    store = ArtifactStore(StoreConfig(url=str(tmp_path / folder)))
    refs = {
        name: store.put(ModelRef, name, {"weights": b"12"}, {}, name="m")
        for name in ("kept", "gone")
    }
    store.write_bytes("latest/train.json", refs["kept"].model_dump_json().encode())
    for name, ref in refs.items():
        store.write_bytes(f"results/{name}", json.dumps({"result": ref.model_dump_json()}).encode())
    for path in store.local_root.rglob("*"):
        os.utime(path, (1, 1))
    assert collect(store, KEEP_NOTHING_YOUNG).results == ("results/gone",)
    assert store.list_keys("results") == ["results/kept"]


def test_references_are_found_at_any_depth_and_other_texts_are_none() -> None:
    def ref(name: str) -> dict[str, str]:
        return {"id": name, "url": f"s3://bucket/datasets/fer/models/{name}"}

    value = {"candidate": ref("a"), "ensembles": [ref("b")], "id": "c", "url": "s3://bucket/runs/x"}
    text = json.dumps({"metadata": {"path": "/runs/models/d"}, "result": json.dumps(value)})
    assert artifacts_in(text) == {"models/a", "models/b"}
    assert artifacts_in('{"result": "null"}') == artifacts_in("damaged {") == frozenset()
    assert artifacts_in("{damaged") == frozenset()
