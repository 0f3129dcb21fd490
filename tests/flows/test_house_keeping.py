"""The deployment that reports, or deletes, what nothing in the store needs."""

import os

import pytest

from fer_models.errors import StoreError
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from flows.house_keeping import house_keeping

pytestmark = pytest.mark.usefixtures("prefect_server")
_KEEP_NOTHING = ("retention.keep_days=0", "retention.keep_runs=0", "retention.min_age_h=0")


def test_it_only_reports_unless_it_is_told_to_delete(store: ArtifactStore) -> None:
    data = store.put(SnapshotRef, "data-01", {"images": b"pixels"}, {})
    store.put(ModelRef, "model-01", {"weights": b"12"}, {"snapshot": data.id}, name="m")
    store.write_bytes("latest/split.json", data.model_dump_json().encode())
    for path in store.local_root.rglob("*"):
        os.utime(path, (1, 1))
    found = house_keeping(store=store.url, overrides=_KEEP_NOTHING)
    assert found["artifacts"] == ["models/model-01"]
    assert not found["deleted"]
    assert store.list_ids(ModelRef) == ["model-01"]

    overrides = (*_KEEP_NOTHING, "retention.delete=true")
    done = house_keeping(store=store.url, overrides=overrides)
    assert done["deleted"]
    assert store.list_ids(ModelRef) == []
    assert store.list_ids(SnapshotRef) == ["data-01"]
    assert store.list_keys("history") == []  # house-keeping is no run of the pipeline
    assert house_keeping(store=store.url, overrides=overrides)["artifacts"] == []


def test_the_training_data_may_be_away(store: ArtifactStore) -> None:
    away = str(store.local_root / "away.csv")
    assert house_keeping(store=store.url, data=(away,))["artifacts"] == []
    with pytest.raises(StoreError, match="expected a folder"):
        house_keeping(store="ftp://nowhere", data=(away,))
