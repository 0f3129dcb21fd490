"""Images without a label are kept and counted, whichever source they come from."""

from pathlib import Path

import pytest

from fer_models.errors import DataError
from fer_models.ingest.config import DataConfig
from fer_models.ingest.read import ReadSource, read_sources
from fer_models.labels import UNLABELLED
from tests.fer_models.ingest.builders import (
    image_bytes,
    pixel_text,
    random_images,
    write_folder,
    write_lines,
)

IMAGES = random_images(6)
NUMBERS = [3, 4, -1, 3, 4, -1]
NOTE = "2 of 6 images have no label: they are kept, but not used for training or evaluation"


def read(path: Path, **settings: object) -> ReadSource:
    [one] = read_sources(DataConfig.model_validate({"sources": (str(path),), **settings}), seed=0)
    return one


def pixel_table(root: Path) -> Path:
    lines = [f"{n},{pixel_text(image)}" for n, image in zip(NUMBERS, IMAGES, strict=True)]
    return write_lines(root / "faces.csv", "emotion,pixels", lines)


def parquet(root: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"png": [image_bytes(image) for image in IMAGES], "emotion": NUMBERS}
    pq.write_table(pa.table(columns), root / "faces.parquet")
    return root / "faces.parquet"


def table_of_labels(root: Path) -> Path:
    lines = [f"images/{row}.png,{number}" for row, number in enumerate(NUMBERS)]
    files = {f"images/{row}.png": image_bytes(image) for row, image in enumerate(IMAGES)}
    table = "\n".join(["path,label", *lines]).encode()
    return write_folder(root / "faces", {**files, "labels.csv": table})


def rafdb(root: Path) -> Path:
    lines = [f"train_{row}.jpg {number}" for row, number in enumerate(NUMBERS)]
    files = {f"train_{row}_aligned.jpg": image_bytes(image) for row, image in enumerate(IMAGES)}
    table = "\n".join(lines).encode()
    return write_folder(root / "faces", {**files, "list_patition_label.txt": table})


def class_folders(root: Path) -> Path:
    files = {
        f"{number}/{row}.png": image_bytes(image)
        for row, (number, image) in enumerate(zip(NUMBERS, IMAGES, strict=True))
    }
    return write_folder(root / "faces", files)


@pytest.mark.parametrize("build", [pixel_table, parquet, table_of_labels, rafdb, class_folders])
def test_minus_one_is_no_label_in_any_source(tmp_path: Path, build: object) -> None:
    assert callable(build)
    one = read(build(tmp_path), label_scheme="fer2013")
    assert one.table is not None
    assert sorted(one.table.fields["label"] == UNLABELLED) == [False] * 4 + [True] * 2
    assert set(one.table.fields["reason"]) == {""}
    assert NOTE in one.findings.notes
    assert sum("no label" in note for note in one.findings.notes) == 1


def challenge(root: Path, *more: str) -> Path:
    paths = ("Train/Happy/1.png", "Train/Sad/2.png", "Val/Happy/3.png", "Val/Sad/4.png", *more)
    images = dict(zip(paths, map(image_bytes, IMAGES[: len(paths)]), strict=True))
    return write_folder(root / "SFEW", images)


@pytest.mark.parametrize("above", ["", "data/"])
def test_a_test_folder_without_class_folders_is_unlabelled(tmp_path: Path, above: str) -> None:
    folder = challenge(tmp_path / above, "Test/5.png", "Test/6.png")
    one = read(folder.parent if above else folder)
    assert one.table is not None
    fields = one.table.fields
    assert fields["split"].value_counts().to_dict() == {"train": 2, "validation": 2, "test": 2}
    is_test = fields["split"] == "test"
    assert ((fields["label"] == UNLABELLED) == is_test).all()
    assert one.table.label_names == ("happy", "sad")
    [note] = one.findings.notes
    assert note.endswith(
        "Test/: 2 images lie directly in it, not in class folders: they have no label, and are "
        "kept, but not used for training or evaluation"
    )


@pytest.mark.parametrize(
    "more", [("Train/5.png",), ("Val/5.png",), ("Test/Sad/5.png", "Test/6.png")]
)
def test_other_images_outside_class_folders_are_refused(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    with pytest.raises(DataError) as caught:
        read(challenge(tmp_path, *more))
    assert "images directly in" in str(caught.value.problems)
