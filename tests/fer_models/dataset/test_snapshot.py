"""Snapshots are read as they were written, and identified by their content."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_models.dataset.snapshot import (
    MANIFEST_DTYPES,
    first_of_group,
    open_snapshot,
    open_table,
    open_tables,
    pixel_sha256,
    write_snapshot,
)
from fer_models.errors import StoreError
from fer_models.storage.store import ArtifactStore
from tests.fer_models.cleaning.snapshots import Face, manifest_of, picture, snapshot_of

FACES = [
    Face("train", 3, 1),
    Face("train", 4, 2, reason="blank"),
    Face("validation", -1, 3),
    Face("test", 5, 4),
    Face("train", 3, 1),
]
IMAGES = np.stack([picture(face.picture) for face in FACES])
TABLE = pd.DataFrame({"image_id": ["a", "b"], "note": ["", "x"], "score": [0.25, 1.0]})


def test_a_snapshot_is_read_as_it_was_written(store: ArtifactStore) -> None:
    opened = open_snapshot(store, snapshot_of(store, FACES))
    assert np.array_equal(opened.images, IMAGES)
    assert not opened.images.flags.writeable
    expected = manifest_of(FACES, IMAGES)
    pd.testing.assert_frame_equal(opened.manifest, expected)
    assert list(opened.manifest.columns) == list(MANIFEST_DTYPES)


def test_positions_are_kept_and_labelled(store: ArtifactStore) -> None:
    opened = open_snapshot(store, snapshot_of(store, FACES))
    assert opened.positions("train").tolist() == [0, 4]
    assert opened.positions("validation").tolist() == []
    assert opened.labels(opened.positions("test")).tolist() == [5]
    assert opened.image_ids(opened.positions("train")) == ["hand/000000", "hand/000004"]


def test_info_counts_images(store: ArtifactStore) -> None:
    info = store.info(snapshot_of(store, FACES))
    assert info["num_images"] == 5
    assert (info["kept"], info["quarantined"], info["unlabelled"]) == (4, 1, 1)
    assert info["class_counts"]["happy"] == 2
    assert info["class_counts"]["sad"] == 1
    assert info["kept_class_counts"]["sad"] == 0
    assert info["split_counts"] == {"test": 1, "train": 2, "validation": 1}
    assert info["reasons"] == {"blank": 1}


def test_same_content_has_the_same_id(store: ArtifactStore) -> None:
    assert snapshot_of(store, FACES) == snapshot_of(store, FACES)
    shuffled = manifest_of(FACES, IMAGES)[list(reversed(MANIFEST_DTYPES))]
    assert write_snapshot(store, shuffled, IMAGES, "ingest") == snapshot_of(store, FACES)


def test_any_change_gives_another_id(store: ArtifactStore) -> None:
    manifest = manifest_of(FACES, IMAGES)
    pixel = IMAGES.copy()
    pixel[0, 0, 0] ^= 1
    label = manifest.assign(label=[6, *manifest["label"][1:]])
    reason = manifest.assign(reason=["x", *manifest["reason"][1:]])
    ids = {
        write_snapshot(store, manifest, IMAGES, "ingest").id,
        write_snapshot(store, manifest, IMAGES, "clean").id,
        write_snapshot(store, manifest, pixel, "ingest").id,
        write_snapshot(store, label, IMAGES, "ingest").id,
        write_snapshot(store, reason, IMAGES, "ingest").id,
        write_snapshot(store, manifest, IMAGES, "ingest", tables={"truth": TABLE}).id,
        write_snapshot(store, manifest, IMAGES, "ingest", tables={"other": TABLE}).id,
    }
    assert len(ids) == 7


def test_the_id_is_the_same_on_every_machine(store: ArtifactStore) -> None:
    # A change of this value orphans every stored snapshot: increase the format number.
    images = np.arange(48 * 48, dtype=np.int64).reshape(1, 48, 48).astype(np.uint8)
    ref = snapshot_of(store, [Face("train", 3, 0)], images)
    assert ref.id == "dd7916d3371155b73c40257b611b45e382d533d3"


def test_tables_are_read_by_name(store: ArtifactStore) -> None:
    manifest = manifest_of(FACES, IMAGES)
    ref = write_snapshot(store, manifest, IMAGES, "ingest", tables={"truth": TABLE})
    pd.testing.assert_frame_equal(open_table(store, ref, "truth"), TABLE)
    assert list(open_tables(store, ref)) == ["truth"]
    assert open_tables(store, snapshot_of(store, FACES)) == {}
    with pytest.raises(StoreError, match=r"decisions\.parquet"):
        open_table(store, ref, "decisions")


def test_a_derived_snapshot_shares_the_images(store: ArtifactStore) -> None:
    parent = snapshot_of(store, FACES)
    opened = open_snapshot(store, parent)
    child = write_snapshot(store, opened.manifest, opened.images, "clean", parent=parent)
    assert child.id != parent.id
    assert np.array_equal(open_snapshot(store, child).images, IMAGES)
    files = sorted(path.name for path in (store.local_root / "datasets" / child.id).iterdir())
    assert files == ["artifact.json", "manifest.parquet"]


def test_damaged_images_are_detected(store: ArtifactStore) -> None:
    ref = snapshot_of(store, FACES)
    path = store.local_root / "datasets" / ref.id / "images.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        open_snapshot(store, ref)


def test_pixel_hashes_are_equal_for_equal_pixels_only() -> None:
    hashes = pixel_sha256(IMAGES)
    assert hashes[0] == hashes[4]
    assert len(set(hashes)) == 4


@given(st.lists(st.sampled_from("abcdef")))
def test_first_of_group_is_the_first_equal_key(keys: list[str]) -> None:
    assert first_of_group(pd.Series(keys, dtype="str")).tolist() == [keys.index(k) for k in keys]
