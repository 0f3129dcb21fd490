"""The record of the latest output of a step."""

import pytest

from fer_models.errors import StoreError
from fer_models.storage.latest import recall, recall_if_any, remember
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore


def test_the_latest_output_comes_back(store: ArtifactStore) -> None:
    ref = store.ref(SnapshotRef, "an-id")
    assert recall_if_any(store, "clean", SnapshotRef) is None
    remember(store, "clean", ref)
    assert recall(store, "clean", SnapshotRef) == ref


@pytest.mark.parametrize("content", [b"{", b"", b"[]", b'{"id": 3}', b"\xff"])
def test_a_damaged_record_is_refused_with_the_remedy(store: ArtifactStore, content: bytes) -> None:
    store.write_bytes("latest/clean.json", content)
    with pytest.raises(StoreError, match=r"latest/clean\.json: expected .* run that step again"):
        recall_if_any(store, "clean", SnapshotRef)
