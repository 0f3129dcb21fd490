"""Sources whose names are splits, such as the folders `train` and `test`, keep them apart."""

from pathlib import Path
from typing import Any

import pytest

from fer_models.ingest.config import DataConfig
from fer_models.ingest.read import ReadSource, read_sources
from tests.fer_models.ingest.archives import write_zip
from tests.fer_models.ingest.builders import (
    image_bytes,
    pixel_text,
    random_images,
    write_fer2013,
    write_folder,
    write_lines,
)
from tests.fer_models.ingest.formats.test_datasets_parquet import NAMES, write

IMAGES = random_images(12)
FACES = {f"{('happy', 'sad')[n % 2]}/{n}.png": image_bytes(IMAGES[n]) for n in range(4)}


def sources(*paths: object, **settings: Any) -> list[ReadSource]:
    config = DataConfig.model_validate({"sources": [str(path) for path in paths], **settings})
    return read_sources(config, seed=0)


def splits(read: list[ReadSource]) -> list[set[str]]:
    return [set(one.table.fields["split"]) for one in read if one.table is not None]


def pixels(path: Path) -> Path:
    lines = [f"{n % 7},{pixel_text(image)}" for n, image in enumerate(IMAGES)]
    return write_lines(path, "emotion,pixels", lines)


def folders(root: Path) -> list[object]:
    return [write_folder(root / name, FACES) for name in ("train", "val", "test")]


def parts_of_an_archive(root: Path) -> list[object]:
    files = {
        f"{name}/{path}": content
        for name in ("train", "val", "test")
        for path, content in FACES.items()
    }
    archive = write_zip(root / "faces.zip", files)
    return [f"{archive}::{name}" for name in ("train", "val", "test")]


def tables(root: Path) -> list[object]:
    return [pixels(root / f"{name}.csv") for name in ("fer_train", "val", "test-set")]


def parquet(root: Path) -> list[object]:
    return [write(root / f"{name}.parquet", NAMES) for name in ("train", "valid", "test")]


@pytest.mark.parametrize("make", [folders, parts_of_an_archive, tables, parquet])
def test_several_sources_have_the_splits_of_their_names(tmp_path: Path, make: Any) -> None:
    read = sources(*make(tmp_path))
    assert splits(read) == [{"train"}, {"validation"}, {"test"}]
    assert "its images are the test split, as its name says" in read[-1].findings.notes


def test_a_test_beside_a_table_with_splits_is_held_out(tmp_path: Path) -> None:
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    test = write_folder(tmp_path / "test", FACES)
    assert splits(sources(table, test))[1] == {"test"}


def test_one_split_or_none_is_a_data_set_to_split(tmp_path: Path) -> None:
    train, other = (write_folder(tmp_path / name, FACES) for name in ("train", "faces"))
    assert splits(sources(train)) == [{""}]
    read = sources(train, other)
    assert splits(read) == [{""}, {""}]
    assert not read[0].findings.notes


def test_the_unlabelled_test_of_a_challenge_is_no_test_split(tmp_path: Path) -> None:
    train = pixels(tmp_path / "train.csv")
    lines = [pixel_text(image) for image in IMAGES]
    test = write_lines(tmp_path / "test.csv", "pixels", lines)
    assert splits(sources(train, test)) == [{""}, {""}]
