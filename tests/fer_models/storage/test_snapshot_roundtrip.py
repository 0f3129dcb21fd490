"""A dataset snapshot is the same in a folder and in a bucket."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_models.dataset.snapshot import open_snapshot, open_table, write_snapshot
from fer_models.errors import StoreError
from fer_models.storage.backend import Buffers
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.unnamed_file import UnnamedFile
from tests.validation.snapshots import Draft, valid_draft


@pytest.fixture(scope="module")
def draft() -> Draft:
    return valid_draft()


def test_a_snapshot_round_trips(any_store: ArtifactStore, draft: Draft) -> None:
    truth = pd.DataFrame({"image_id": draft.table["image_id"], "defect": ""})
    ref = write_snapshot(
        any_store, draft.table, draft.images, "ingest", tables={"truth": truth}, info={"n": 1}
    )

    opened = open_snapshot(any_store, ref)
    pd.testing.assert_frame_equal(opened.manifest, draft.table.astype(opened.manifest.dtypes))
    np.testing.assert_array_equal(opened.images, draft.images)
    assert not opened.images.flags.writeable
    assert opened.info["num_images"] == len(draft.table)
    assert opened.info["n"] == 1
    assert open_table(any_store, ref, "truth")["image_id"].tolist() == truth["image_id"].tolist()
    with pytest.raises(StoreError, match=r"expected a file 'decisions\.parquet'"):
        open_table(any_store, ref, "decisions")


def test_a_derived_snapshot_shares_the_images(any_store: ArtifactStore, draft: Draft) -> None:
    parent = write_snapshot(any_store, draft.table, draft.images, "ingest")
    changed = draft.table.assign(status="quarantined", reason="blank")
    child = write_snapshot(any_store, changed, draft.images, "clean", parent=parent)

    assert child.id != parent.id
    assert any_store.describe(child).info["parent"] == parent.id
    assert not any_store.has(f"datasets/{child.id}/images.npy")
    np.testing.assert_array_equal(open_snapshot(any_store, child).images, draft.images)


def test_the_id_does_not_depend_on_the_store(
    store: ArtifactStore, tmp_path: Path, draft: Draft
) -> None:
    other = ArtifactStore(StoreConfig(url=str(tmp_path / "other place")))
    ids = {write_snapshot(one, draft.table, draft.images, "ingest").id for one in (store, other)}
    assert len(ids) == 1


def test_the_id_depends_on_every_value_and_pixel(store: ArtifactStore, draft: Draft) -> None:
    images = draft.images.copy()
    images[3, 4, 5] ^= 1
    ids = {
        write_snapshot(store, table, pixels, step).id
        for table, pixels, step in (
            (draft.table, draft.images, "ingest"),
            (draft.table, images, "ingest"),
            (draft.table, draft.images, "split"),
            (draft.table.assign(label=3), draft.images, "ingest"),
            (draft.table.assign(path="a"), draft.images, "ingest"),
        )
    }
    assert len(ids) == 5


def test_buffers_are_stored_as_one_file(any_store: ArtifactStore) -> None:
    ref = any_store.put(SnapshotRef, "an-id", {"a": Buffers((b"one", memoryview(b" two")))}, {})
    assert any_store.read_file(ref, "a") == b"one two"
    assert any_store.describe(ref).files["a"].size == 7


def test_a_file_without_a_name_is_taken_over_or_copied(
    any_store: ArtifactStore, tmp_path: Path
) -> None:
    folder = any_store.local_root if any_store.is_local else tmp_path
    file = UnnamedFile(folder)
    os.pwrite(file.fileno(), b"content", 0)
    ref = any_store.put(SnapshotRef, "an-id", {"a": Buffers((b"content",), file)}, {})
    assert any_store.read_file(ref, "a") == b"content"
    assert not any_store.faults(ref, deep=True)
    assert not any_store.backend.abandoned()
    if any_store.is_local and hasattr(os, "O_TMPFILE"):
        stored = (any_store.local_root / any_store.describe(ref).files["a"].key).stat()
        assert stored.st_ino == os.fstat(file.fileno()).st_ino
