"""The splits of tables of labels: of a column, of the table's name, or of the images' folders."""

from pathlib import Path

import pytest

from fer_models.ingest.read import ReadSource
from tests.fer_models.ingest.builders import write_folder
from tests.fer_models.ingest.layouts.table_sources import (
    NAMES,
    folder,
    labels_of,
    problems,
    read,
    table_text,
)


def splits_of(one: ReadSource) -> list[str]:
    assert one.table is not None
    return one.table.fields["split"].tolist()


def in_folders(tmp_path: Path, table: str, *folders: str) -> Path:
    """Five images in these folders in turn, and their table."""
    names = [f"{folders[i % len(folders)]}/{i}.png" for i in range(5)]
    rows = [f"{name},{NAMES[i]}" for i, name in enumerate(names)]
    return folder(tmp_path, "\n".join(["path,label", *rows]), names, name=table)


@pytest.mark.parametrize(
    ("table", "folder_name"),
    [("train_labels.csv", "test"), ("train.csv", "val"), ("validation.csv", "PrivateTest")],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_name_that_would_use_held_out_images_asks(
    tmp_path: Path, table: str, folder_name: str, named: bool
) -> None:
    path = in_folders(tmp_path, table, "train", folder_name)
    [problem] = problems(path, {"path": table} if named else {})
    assert f"{table}: its name says {table[:5]}" in problem
    assert "of its 5 images are in folders of another split" in problem


@pytest.mark.parametrize(
    ("table", "split"), [("val.csv", "validation"), ("test_labels.csv", "test")]
)
def test_a_name_that_holds_training_images_out_is_the_split_with_a_note(
    tmp_path: Path, table: str, split: str
) -> None:
    one = read(in_folders(tmp_path, table, "train"))
    assert splits_of(one) == [split] * 5
    [note] = one.findings.notes
    assert note == (
        f"{table}: the splits are those of its name, though 5 images are in folders of another "
        "split (train/0.png)"
    )


def test_a_name_that_agrees_with_the_folders_needs_no_note(tmp_path: Path) -> None:
    one = read(in_folders(tmp_path, "train_labels.csv", "train", "images"))
    assert splits_of(one) == ["train"] * 5
    assert not one.findings.notes


def test_a_column_decides_and_training_images_of_a_test_folder_are_noted(tmp_path: Path) -> None:
    names = [f"test/{i}.png" for i in range(5)]
    text = table_text("path,label,split", "test/{i}.png,{name},train")
    one = read(folder(tmp_path, text, names))
    assert splits_of(one) == ["train"] * 5
    [note] = one.findings.notes
    assert "the splits are those of the column split, though 5 images are in folders" in note
    held_out = [name.replace("test", "train") for name in names]
    text = text.replace("test/", "train/").replace(",train", ",val")
    assert not read(folder(tmp_path / "2", text, held_out)).findings.notes


def test_a_column_with_the_name_of_a_setting_is_a_column(tmp_path: Path) -> None:
    path = folder(tmp_path, table_text("path,label,table", "images/{i}.png,{name},val"))
    assert splits_of(read(path, {"split": "table"})) == ["validation"] * 5


def test_a_second_table_that_cannot_be_read_is_noted(tmp_path: Path) -> None:
    path = in_folders(tmp_path, "train.csv", "images")
    write_folder(path, {"test.csv": b"path,label\nimages/1.png,happy,x\n"})
    one = read(path)
    assert labels_of(one) == [*NAMES]
    [note] = one.findings.notes
    assert note.startswith("not read: test.csv: expected 2 columns in every row")
