"""Copies across and within splits: found, grouped, stored once."""

import numpy as np
import pytest
from PIL import Image

from fer_models.dataset import copies as copies_module
from fer_models.dataset.copies import find_copies, search_copies
from fer_models.dataset.snapshot import (
    IMAGE_SIZE_PX,
    DatasetSnapshot,
    Images,
    first_of_group,
    open_snapshot,
    pixel_sha256,
    write_snapshot,
)
from fer_models.storage.refs import CopiesRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_snapshot


@pytest.fixture(scope="module")
def faces() -> Images:
    """Forty different pictures: smooth random textures don't look alike."""
    coarse = np.random.default_rng(0).integers(0, 255, (40, 5, 5)).astype(np.uint8)
    size = (IMAGE_SIZE_PX, IMAGE_SIZE_PX)
    return np.stack([np.asarray(Image.fromarray(each).resize(size, 3)) for each in coarse])


def _snapshot(
    store: ArtifactStore, images: Images, splits: list[str], quarantined: tuple[int, ...] = ()
) -> DatasetSnapshot:
    opened = open_snapshot(store, build_snapshot(store, num_images=len(images)))
    shas = pixel_sha256(images)
    manifest = opened.manifest.assign(split=splits, pixel_sha256=shas, status="kept", reason="")
    manifest["duplicate_group"] = first_of_group(manifest["pixel_sha256"])
    manifest.loc[list(quarantined), ["status", "reason"]] = "quarantined", "exact_duplicate"
    return open_snapshot(store, write_snapshot(store, manifest, images, step="split"))


def _moved(images: Images, pixels: int) -> Images:
    """The images moved to the right, the left edge repeated."""
    return np.pad(images, ((0, 0), (0, 0), (pixels, 0)), mode="edge")[:, :, :IMAGE_SIZE_PX]


def test_a_held_out_copy_is_found_exact_mirrored_or_darker(
    store: ArtifactStore, faces: Images
) -> None:
    images = np.concatenate([faces, faces[:3], faces[3:4, :, ::-1], faces[4:5] // 2 + 40])
    splits = ["train"] * 30 + ["test"] * 15
    copies = search_copies(_snapshot(store, images, splits))
    held_out = np.arange(30, 45)
    assert np.flatnonzero(copies.in_training[held_out]).tolist() == [10, 11, 12]
    assert np.flatnonzero(copies.near_training[held_out]).tolist() == [10, 11, 12, 13, 14]
    assert copies.in_training[:30].all()
    assert copies.near_training[:30].all()
    assert (copies.group[40:45] == copies.group[:5]).all()
    assert len(set(copies.group.tolist())) == 40


def test_a_held_out_copy_of_a_training_copy_is_found(store: ArtifactStore, faces: Images) -> None:
    """The second training image is a near copy itself, and still an image that was trained on."""
    crop, twice = _moved(faces[:1], 2), _moved(faces[:1], 5)
    images = np.concatenate([faces, crop, twice])
    splits = ["train"] * 20 + ["test"] * 20 + ["train", "test"]
    copies = search_copies(_snapshot(store, images, splits))
    assert copies.near_training[41]
    assert len(set(copies.group[[0, 40, 41]].tolist())) == 1


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_chain_of_copies_in_one_split_is_one_group(
    store: ArtifactStore, faces: Images, split: str
) -> None:
    """The middle one is a copy of the first, and the last one a copy of the middle one only."""
    crop, twice = _moved(faces[:1], 2), _moved(faces[:1], 5)
    splits = [split, *(["train", "test"] * 20)[:39], split, split]
    copies = search_copies(_snapshot(store, np.concatenate([faces, crop, twice]), splits))
    assert copies.group[[0, 40, 41]].tolist() == [0, 0, 0]
    assert len(set(copies.group.tolist())) == 40


def test_quarantined_training_images_count_and_held_out_copies_share_a_group(
    store: ArtifactStore, faces: Images
) -> None:
    images = np.concatenate([faces, faces[:1], faces[35:36, :, ::-1]])
    splits = ["train"] * 30 + ["test"] * 12
    copies = search_copies(_snapshot(store, images, splits, quarantined=(0,)))
    assert copies.in_training[40]
    assert not copies.near_training[41]
    assert copies.group[41] == copies.group[35]


def test_copies_are_searched_once_and_stored(
    store: ArtifactStore, faces: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = _snapshot(store, faces, ["train"] * 30 + ["test"] * 10)
    first = find_copies(store, snapshot)
    assert len(store.list_ids(CopiesRef)) == 1
    monkeypatch.setattr(copies_module, "search_copies", None)
    again = find_copies(store, snapshot)
    for name, values in vars(first).items():
        np.testing.assert_array_equal(getattr(again, name), values)
