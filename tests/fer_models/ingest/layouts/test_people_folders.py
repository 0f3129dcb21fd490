"""Class folders without any known name may be people: stated, or refused if file names say more."""

from pathlib import Path

import pytest

from fer_models.errors import DataError
from fer_models.ingest.config import DataConfig
from fer_models.ingest.read import ReadSource, read_sources
from tests.fer_models.ingest.builders import image_bytes, random_images, write_folder

IMAGES = random_images(6)
PEOPLE = ("S005", "S010", "S011")


def read(folder: Path, **settings: object) -> ReadSource:
    config = DataConfig.model_validate({"sources": (str(folder),), **settings})
    [one] = read_sources(config, seed=0)
    return one


def written(root: Path, *paths: str) -> Path:
    images = map(image_bytes, IMAGES[: len(paths)])
    return write_folder(root / "faces", dict(zip(paths, images, strict=True)))


def test_people_above_the_classes_are_no_classes(tmp_path: Path) -> None:
    folder = written(
        tmp_path, *(f"{who}/{what}/1.png" for who in PEOPLE for what in ("joy", "sad"))
    )
    one = read(folder)
    assert one.table is not None
    assert one.table.label_names == ("happy", "sad")
    assert one.findings.notes == []


@pytest.mark.parametrize("above", ["", "train/"])
def test_folders_of_unknown_names_are_classes_with_a_note(tmp_path: Path, above: str) -> None:
    folder = written(tmp_path, *(f"{above}{who}/{n}.png" for who in PEOPLE for n in "12"))
    one = read(folder)
    assert one.table is not None
    assert one.table.label_names == ("s005", "s010", "s011")
    [note] = one.findings.notes
    assert "none of the 3 class folders has the name of an emotion (S005, S010, S011)" in note
    assert "if they are people or sessions, list the images in a csv file (path,label)" in note


def test_known_or_named_classes_have_no_note(tmp_path: Path) -> None:
    own = written(tmp_path / "own", "bored/1.png", "tired/2.png")
    assert read(own, classes=["bored", "tired"]).findings.notes == []
    mixed = written(tmp_path / "mixed", "bored/1.png", "happy/2.png")
    assert read(mixed).findings.notes == []


def test_people_whose_file_names_are_the_emotions_are_refused(tmp_path: Path) -> None:
    paths = [f"{who}/{who}_{what}_1.png" for who in PEOPLE for what in ("Happy", "sad")]
    folder = written(tmp_path, *paths)
    with pytest.raises(DataError) as caught:
        read(folder)
    [problem] = caught.value.problems
    assert (
        "but file names have, such as S005/S005_Happy_1.png: if the folders are people" in problem
    )


def test_one_emotion_in_some_file_names_is_no_reason_to_refuse(tmp_path: Path) -> None:
    paths = ("bored/sad_1.png", "bored/2.png", "tired/3.png", "tired/happy_4.png", "tired/5.png")
    one = read(written(tmp_path, *paths))
    assert one.table is not None
    assert one.table.label_names == ("bored", "tired")
