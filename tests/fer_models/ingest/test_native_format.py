"""Images keep their size and colour: chosen by settings, else by what came."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fer_models.dataset.image_format import ImageFormat
from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot, write_snapshot
from fer_models.ingest import image_buffer
from fer_models.ingest.config import DataConfig
from fer_models.ingest.image_buffer import ImageBuffer, compacted, image_array, joined
from fer_models.ingest.ingest import fingerprint_sources, ingest_sources
from fer_models.ingest.layouts import image_folder
from fer_models.ingest.layouts.places import Files, Recognised
from fer_models.ingest.layouts.recognise import recognise
from fer_models.storage.store import ArtifactStore
from tests.fer_models.ingest.archives import write_zip
from tests.fer_models.ingest.builders import pixel_text, random_images, write_fer2013, write_lines

RNG = np.random.default_rng(7)


def colour_folder(root: Path, sizes: list[tuple[int, int]]) -> Path:
    """Two classes of RGB pictures, of these widths and heights."""
    for number, (width, height) in enumerate(sizes):
        path = root / ("happy", "bored")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return root


def ingested(store: ArtifactStore, *sources: Path, **settings: object) -> DatasetSnapshot:
    config = DataConfig.model_validate({"sources": [str(one) for one in sources], **settings})
    return open_snapshot(store, ingest_sources(store, config, 0))


def test_the_size_is_the_median_of_what_came(store: ArtifactStore, tmp_path: Path) -> None:
    folder = colour_folder(tmp_path / "faces", [(100, 100), (112, 112), (200, 200)])
    assert ingested(store, folder).images.shape == (3, 112, 112)
    small = colour_folder(tmp_path / "small", [(20, 20)] * 3)
    assert ingested(store, small).images.shape == (3, 48, 48)
    large = colour_folder(tmp_path / "large", [(400, 400)] * 3)
    assert ingested(store, large).images.shape == (3, 224, 224)


def test_colour_images_of_the_right_size_are_kept_bit_for_bit(
    store: ArtifactStore, tmp_path: Path
) -> None:
    folder = colour_folder(tmp_path / "faces", [(96, 96)] * 4)
    snapshot = ingested(store, folder, channels=3)
    assert snapshot.image_format == ImageFormat(96, 3)
    for image, path in zip(snapshot.images, snapshot.manifest["path"], strict=True):
        np.testing.assert_array_equal(image, np.asarray(Image.open(folder / path)))
    assert snapshot.thumbnails.shape == (4, 48, 48)


def test_a_folder_and_its_archive_give_the_same_images(
    store: ArtifactStore, tmp_path: Path
) -> None:
    folder = colour_folder(tmp_path / "faces", [(100, 80), (112, 90), (60, 60), (96, 96)])
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}
    packed = write_zip(tmp_path / "faces.zip", dict(reversed(files.items())))
    plain, zipped = (ingested(store, source, channels=3) for source in (folder, packed))
    np.testing.assert_array_equal(plain.images, zipped.images)
    assert plain.manifest["label"].tolist() == zipped.manifest["label"].tolist()
    assert plain.image_format == zipped.image_format


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_an_image_that_is_not_square_is_fitted_as_set(
    store: ArtifactStore, tmp_path: Path, fit: str
) -> None:
    pixels = np.zeros((100, 60), dtype=np.uint8)
    pixels[20:80] = 200
    for name in ("happy", "sad"):
        path = tmp_path / "faces" / name / "1.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(pixels).save(path)
    snapshot = ingested(store, tmp_path / "faces", image_size_px=60, fit=fit)
    image = snapshot.images[0].astype(int)
    assert snapshot.image_format.fit == fit
    if fit == "crop":
        assert (image == 200).all()
    elif fit == "pad":
        assert image[30, 0] == image[30, -1] == 128
        assert image[30, 30] == 200
    else:
        assert image[0, 0] == image[0, -1] == 0
        assert image[30, 0] == image[30, 30] == 200


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_the_fit_that_is_set_also_counts_for_square_images(
    store: ArtifactStore, tmp_path: Path, fit: str
) -> None:
    folder = colour_folder(tmp_path / "faces", [(96, 96)] * 4)
    assert ingested(store, folder).image_format.fit == "stretch"
    snapshot = ingested(store, folder, fit=fit)
    assert snapshot.image_format.fit == fit
    derived = [
        write_snapshot(store, one.manifest, one.images, "clean", one.ref)
        for one in (ingested(store, folder), snapshot)
    ]
    assert [open_snapshot(store, ref).image_format.fit for ref in derived] == ["stretch", fit]


@pytest.mark.parametrize("is_first", [True, False])
def test_a_size_that_is_set_crops_whatever_was_ingested_before(
    store: ArtifactStore, tmp_path: Path, *, is_first: bool
) -> None:
    table = write_fer2013(tmp_path / "fer2013.csv", random_images(12))
    sizes = (48, None) if is_first else (None, 48)
    snapshots = {size: ingested(store, table, image_size_px=size) for size in sizes}
    assert {size: one.image_format.fit for size, one in snapshots.items()} == {
        48: "crop",
        None: "stretch",
    }
    np.testing.assert_array_equal(snapshots[48].images, snapshots[None].images)
    assert snapshots[48].ref.id == ingested(store, table, image_size_px=48, fit="crop").ref.id


def test_images_that_are_not_square_are_cropped_by_default(
    store: ArtifactStore, tmp_path: Path
) -> None:
    folder = colour_folder(tmp_path / "faces", [(96, 96), (96, 120)] * 2)
    assert ingested(store, folder).image_format.fit == "crop"
    assert ingested(store, folder, image_size_px=48).image_format.fit == "crop"


def test_a_layout_is_recognised_once_an_ingest(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = colour_folder(tmp_path / "faces", [(100, 80)] * 4)
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}
    packed = write_zip(tmp_path / "more.zip", files)
    seen: list[Files] = []

    def counted(files: Files, *arguments: Any) -> Recognised | None:
        seen.append(files)
        return recognise(files, *arguments)

    monkeypatch.setattr(image_folder, "recognise", counted)
    assert len(ingested(store, folder, packed).images) == 8
    assert len(seen) == 2


def test_tables_of_pixels_keep_their_size(store: ArtifactStore, tmp_path: Path) -> None:
    images = RNG.integers(0, 256, (8, 64, 64), dtype=np.uint8)
    lines = [f"{row % 7},{pixel_text(image)}" for row, image in enumerate(images)]
    table = write_lines(tmp_path / "a.csv", "emotion,pixels", lines)
    np.testing.assert_array_equal(ingested(store, table).images, images)
    assert ingested(store, table, image_size_px=48).images.shape == (8, 48, 48)
    assert ingested(store, table, channels=3).images.shape == (8, 64, 64, 3)


def test_sources_of_different_sizes_get_one(store: ArtifactStore, tmp_path: Path) -> None:
    table = write_fer2013(tmp_path / "fer2013.csv", random_images(12))
    folder = colour_folder(tmp_path / "faces", [(100, 100)] * 4)
    snapshot = ingested(store, table, folder)
    assert len(snapshot.images) == 16
    assert snapshot.images.shape[1:] == (48, 48)


def test_the_format_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    source = str(write_fer2013(tmp_path / "fer2013.csv", random_images(12)))
    settings: list[dict[str, object]] = [{}, {"channels": 3}, {"image_size_px": 64}]
    settings += [{"fit": "pad"}, {"fit": "crop"}]
    keys = {
        fingerprint_sources(DataConfig.model_validate({"sources": [source], **one}), 0)
        for one in settings
    }
    assert len(keys) == 5


def test_many_images_go_through_a_file_and_stay_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    images = RNG.integers(0, 256, (50, 32, 32, 3), dtype=np.uint8)
    image_format = ImageFormat(32, 3)
    monkeypatch.setattr(image_buffer, "_MAX_MEMORY_BYTES", 20_000)
    buffer = ImageBuffer(image_format)
    for start in range(0, 50, 7):
        buffer.append(images[start : start + 7])
    stored = buffer.finish()
    assert isinstance(stored, np.memmap)
    np.testing.assert_array_equal(stored, images)
    array = image_array(50, image_format)
    array[:] = images
    kept = [0, 3, 4, 49]
    np.testing.assert_array_equal(compacted(array, kept), images[kept])
    np.testing.assert_array_equal(joined([images[:20], images[20:]], image_format), images)
