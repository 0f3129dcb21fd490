"""Images of any size and colour, and their thumbnails."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_models.classes.class_list import ClassList
from fer_models.dataset.image_format import THUMBNAIL, ImageFormat, format_of, to_thumbnails
from fer_models.dataset.snapshot import (
    KEPT,
    NO_VOTE,
    open_snapshot,
    pixel_sha256,
    write_snapshot,
)
from fer_models.labels import VOTE_COLUMNS
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore

RNG = np.random.default_rng(5)
COLOUR = RNG.integers(0, 256, (6, 96, 96, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (6, 48, 48), dtype=np.uint8)
OWN = ClassList.named(["happy", "bored"])


def test_the_format_is_that_of_the_array() -> None:
    assert format_of(GREY) == THUMBNAIL
    assert format_of(COLOUR) == ImageFormat(96, 3)
    assert str(format_of(COLOUR)) == "96 x 96 RGB"
    for wrong in (np.zeros((2, 48, 40), np.uint8), np.zeros((2, 8, 8, 4), np.uint8)):
        with pytest.raises(ValueError, match="expected"):
            format_of(wrong)


def test_images_of_fer2013_are_their_own_thumbnails() -> None:
    assert to_thumbnails(GREY) is GREY


def test_thumbnails_are_luma_reduced_as_image_files_are() -> None:
    expected = [
        np.asarray(Image.fromarray(one).convert("L").resize((48, 48), Image.Resampling.LANCZOS))
        for one in COLOUR
    ]
    difference = to_thumbnails(COLOUR).astype(int) - np.stack(expected)
    assert np.abs(difference).max() <= 2  # reducing_gap


def test_a_snapshot_keeps_native_images_and_shares_its_thumbnails(store: ArtifactStore) -> None:
    ref = _written(store, COLOUR, OWN)
    opened = open_snapshot(store, ref)
    np.testing.assert_array_equal(opened.images, COLOUR)
    np.testing.assert_array_equal(opened.thumbnails, to_thumbnails(COLOUR))
    assert opened.image_format == ImageFormat(96, 3)
    assert opened.classes == OWN
    child = write_snapshot(store, opened.manifest, opened.images, "clean", parent=ref)
    again = open_snapshot(store, child)
    np.testing.assert_array_equal(again.thumbnails, opened.thumbnails)
    assert again.classes == OWN
    assert store.describe(child).files["thumbnails.npy"].key.startswith(f"datasets/{ref.id}")


def test_grey_thumbnails_need_no_second_file(store: ArtifactStore) -> None:
    ref = _written(store, GREY, OWN)
    assert "thumbnails.npy" not in store.describe(ref).files
    opened = open_snapshot(store, ref)
    assert opened.thumbnails is opened.images


def test_the_id_depends_on_the_classes_and_the_pixels(store: ArtifactStore) -> None:
    ids = {
        _written(store, GREY, classes).id
        for classes in (
            OWN,
            ClassList.named(["happy", "tired"]),
            ClassList.named(["bored", "happy"]),
        )
    }
    assert len(ids) == 3
    assert _written(store, COLOUR, OWN).id not in ids


def test_the_id_of_native_images_is_the_same_on_every_machine(store: ArtifactStore) -> None:
    # A change of this value orphans every stored snapshot of such images.
    images = np.arange(2 * 64 * 64 * 3, dtype=np.int64).reshape(2, 64, 64, 3).astype(np.uint8)
    assert _written(store, images, OWN).id == "e343540457e9375d274965e5beefb3cf3fe13f17"
    other = images.copy()
    other[1, 63, 63, 2] ^= 1
    assert _written(store, other, OWN).id != _written(store, images, OWN).id


def _written(store: ArtifactStore, images: np.ndarray, classes: ClassList) -> SnapshotRef:
    rows = np.arange(len(images))
    votes = dict.fromkeys(VOTE_COLUMNS, NO_VOTE)
    manifest = pd.DataFrame(
        {
            "image_id": [f"faces/{row}" for row in rows],
            "source": "faces",
            "row": rows,
            "path": "",
            "split": "train",
            "label": rows % len(classes),
            **votes,
            "pixel_sha256": pixel_sha256(images),
            "duplicate_group": rows,
            "status": KEPT,
            "reason": "",
        }
    )
    return write_snapshot(store, manifest, images, "ingest", classes=classes)
