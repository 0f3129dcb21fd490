"""With data.faces=detect, photos are cut to their largest face."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_models.dataset.image_format import THUMBNAIL
from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.errors import DataError
from fer_models.faces.finder import face_finder
from fer_models.faces.settings import FaceSettings
from fer_models.ingest.config import DataConfig
from fer_models.ingest.decoding import largest_face
from fer_models.ingest.ingest import ingest_sources
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from tests.fer_models.faces.pictures import photo, synthetic_faces


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A photo with two faces, and a crop, in a folder of classes."""
    pictures = {"happy": photo((20, 40, 160), (240, 30, 110)), "sad": synthetic_faces()[1]}
    for label, pixels in pictures.items():
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        Image.fromarray(pixels).save(folder / "one.png")
    return tmp_path / "photos"


def ingested(photos: Path, **settings: object) -> DatasetSnapshot:
    store = ArtifactStore(StoreConfig(url=str(photos.parent / "store")))
    config = DataConfig.model_validate(
        {"sources": (str(photos),), "faces": "detect", "image_size_px": 48, **settings}
    )
    return open_snapshot(store, ingest_sources(store, config, seed=0))


def test_a_photo_is_cut_to_its_largest_face_and_a_crop_is_kept(photos: Path) -> None:
    snapshot = ingested(photos)
    face, crop = snapshot.images
    np.testing.assert_array_equal(crop, synthetic_faces()[1])
    # The same synthetic face was pasted into the photo.
    assert np.corrcoef(face.ravel(), crop.ravel())[0, 1] > 0.6


def test_photos_without_a_face_are_problems_with_advice(photos: Path) -> None:
    Image.fromarray(photo()).save(photos / "sad" / "empty.png")
    with pytest.raises(DataError, match=r"empty\.png") as caught:
        ingested(photos)
    assert "no face found in the picture" in str(caught.value)
    assert len(ingested(photos, quarantine_bad_rows=True).images) == 2
    assert len(ingested(photos, faces="none").images) == 3  # as the message says


def test_the_setting_makes_another_snapshot(photos: Path) -> None:
    one, other = (ingested(photos, faces=faces) for faces in ("detect", "none"))
    assert not np.array_equal(one.images[0], other.images[0])


def test_the_smallest_face_is_in_pixels_of_the_photo_before_it_is_reduced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    picture = Image.new("RGB", (4104, 1200), (128, 128, 128))
    picture.paste(Image.fromarray(photo((60, 60, 96))))  # found as a face of 86 pixels
    content = io.BytesIO()
    picture.save(content, "PNG")
    for smallest_px, is_found in ((80, True), (100, False)):
        finder = face_finder(FaceSettings(min_size_px=smallest_px))
        monkeypatch.setattr(largest_face, "_finder", lambda finder=finder: finder)
        face = largest_face.decode_largest_face(content.getvalue(), THUMBNAIL)
        assert isinstance(face, np.ndarray) == is_found
