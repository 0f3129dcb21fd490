"""Folders of images: folder names give split and label."""

import io
import os
from pathlib import Path

import numpy as np
import pytest

from fer_models.ingest.config import DataConfig
from fer_models.ingest.files.detection import SourceKind
from fer_models.ingest.files.streams import SourceFile
from fer_models.ingest.findings import Findings
from fer_models.ingest.ingest import fingerprint_sources
from fer_models.ingest.source_table import SourceTable
from tests.fer_models.ingest.builders import random_images, read_image_source, write_folder

IMAGES = random_images(6)


def read(root: Path) -> tuple[SourceTable | None, Findings]:
    findings = Findings(root.name)
    return read_image_source(SourceKind.FOLDER, SourceFile(root), findings), findings


def read_good(root: Path) -> SourceTable:
    table, findings = read(root)
    assert not findings.lines(with_rows=True)
    assert table is not None
    return table


def fault(root: Path) -> str:
    table, findings = read(root)
    assert table is None
    [only] = findings.faults
    return only


def test_split_and_class_folders_are_read_in_sorted_order(tmp_path: Path) -> None:
    files = {
        "train/sad/b.png": IMAGES[1],
        "train/happy/a.png": IMAGES[0],
        "test/angry/x.png": IMAGES[2],
        "val/Surprise/y.png": IMAGES[3],
    }
    table = read_good(write_folder(tmp_path / "faces", files))
    assert table.fields["path"].tolist() == sorted(files)
    assert table.fields["split"].tolist() == ["test", "train", "train", "validation"]
    names = [table.label_names[label] for label in table.fields["label"]]
    assert names == ["angry", "happy", "sad", "surprise"]
    assert table.fields["row"].tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(table.images, IMAGES[[2, 0, 1, 3]])


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("valid", "validation"),
        ("validation", "validation"),
        ("testing", "test"),
    ],
)
def test_split_folders_have_several_names(tmp_path: Path, folder: str, split: str) -> None:
    table = read_good(write_folder(tmp_path / "faces", {f"{folder}/fear/1.png": IMAGES[0]}))
    assert table.fields["split"].tolist() == [split]


def test_class_folders_without_split_folders_have_no_split(tmp_path: Path) -> None:
    files = {f"{name}/deeper/1.png": IMAGES[0] for name in ("happiness", "joy", "Happy", "disgust")}
    table = read_good(write_folder(tmp_path / "mine", files))
    names = [table.label_names[label] for label in table.fields["label"]]
    assert names == ["happy", "disgust", "happy", "happy"]
    assert set(table.fields["split"]) == {""}


def test_hidden_files_and_litter_are_ignored(tmp_path: Path) -> None:
    files: dict[str, np.ndarray | bytes] = {
        "happy/1.png": IMAGES[0],
        "happy/.hidden.png": b"x",
        "happy/Thumbs.db": b"x",
        ".cache/2.png": b"x",
        "README.txt": b"read me",
        "licence/text.txt": b"may be used",
    }
    assert len(read_good(write_folder(tmp_path / "mine", files)).fields) == 1


def test_unreadable_images_are_bad_files(tmp_path: Path) -> None:
    files: dict[str, np.ndarray | bytes] = {
        "happy/0.png": IMAGES[0],
        "happy/1.png": b"",
        "happy/2.jpg": b"no image",
        "happy/notes.txt": b"text",
        "sad/3.png": IMAGES[1],
    }
    table, findings = read(write_folder(tmp_path / "mine", files))
    assert table is not None
    assert table.fields["row"].tolist() == [0, 4]
    lines = findings.lines(with_rows=True)
    assert [line.partition(":")[0] for line in lines] == [
        "mine, happy/1.png",
        "mine, happy/2.jpg",
        "mine, happy/notes.txt",
    ]
    assert "0 bytes" in lines[0]


def test_folders_of_any_name_are_classes(tmp_path: Path) -> None:
    files = {f"{name}/{i}.png": IMAGES[0] for name in ("happy", "bored", "tired") for i in "12"}
    table, findings = read(write_folder(tmp_path / "mine", files))
    assert table is not None
    assert not findings.faults
    assert table.label_names == ("bored", "happy", "tired")
    assert table.fields["label"].tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["train/happy/1.png", "happy/2.png"], "folder happy/ beside split folders"),
        (["train/happy/1.png", "2.png"], "images beside split folders"),
        (["train/1.png"], "images directly in train/"),
        (["1.png"], "images directly in the folder"),
        (["notes.txt"], "contains no images"),
        (["fer2013.csv"], "but fer2013.csv; name that file itself"),
        ([], "contains no images"),
    ],
)
def test_other_layouts_are_rejected_with_a_remedy(
    tmp_path: Path, files: list[str], expected: str
) -> None:
    assert expected in fault(write_folder(tmp_path / "mine", dict.fromkeys(files, IMAGES[0])))


def test_linked_folders_are_followed_without_cycles(tmp_path: Path) -> None:
    elsewhere = write_folder(tmp_path / "elsewhere", {"1.png": IMAGES[0]})
    root = write_folder(tmp_path / "mine", {"sad/2.png": IMAGES[1]})
    (root / "happy").symlink_to(elsewhere)
    (root / "sad" / "round").symlink_to(root)
    table = read_good(root)
    assert table.fields["path"].tolist() == ["happy/1.png", "sad/2.png"]


def test_names_that_are_not_utf8_are_rejected(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "mine", {"sad/2.png": IMAGES[1]})
    odd = bytes(root / "sad") + b"/\xff.png"
    with open(odd, "wb") as stream:  # noqa: PTH123 - pathlib takes no bytes
        stream.write(b"x")
    assert "UTF-8" in fault(root)


# -- unusual entries --------------------------------------------------------------------


def test_pipes_and_broken_links_are_bad_files_and_do_not_block(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "mine", {"sad/2.png": IMAGES[1]})
    os.mkfifo(root / "sad/pipe.png")
    (root / "sad/gone.png").symlink_to(tmp_path / "absent.png")
    (root / "sad/self.png").symlink_to("self.png")
    table, findings = read(root)
    assert table is not None
    assert table.fields["path"].tolist() == ["sad/2.png"]
    gone, pipe, itself = findings.lines(True)
    assert "gone.png: a link that leads nowhere; repair or remove it" in gone
    assert "pipe.png: a pipe, socket or device, no image file; remove it" in pipe
    assert "self.png: a link that leads nowhere" in itself


def test_fingerprint_does_not_block_on_pipes(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "mine", {"sad/2.png": IMAGES[1]})
    os.mkfifo(root / "sad/pipe.png")
    assert len(fingerprint_sources(DataConfig(sources=(str(root),)), 0)) == 64


def test_links_between_two_folders_are_followed_once(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "mine", {"sad/2.png": IMAGES[1], "happy/1.png": IMAGES[0]})
    (root / "sad/to_happy").symlink_to(root / "happy")
    (root / "happy/to_sad").symlink_to(root / "sad")
    paths = read_good(root).fields["path"].tolist()
    assert paths == [
        "happy/1.png",
        "happy/to_sad/2.png",
        "sad/2.png",
        "sad/to_happy/1.png",
    ]


def test_upper_case_unicode_and_blanks_in_names_are_supported(tmp_path: Path) -> None:
    files = {"TRAIN/Happy/a b.PNG": IMAGES[0], "TRAIN/sad/\u7b11\u9854 \u00e9.JPG": IMAGES[1]}
    root = write_folder(tmp_path / "my faces \u00fc", files)
    assert read_good(root).fields["path"].tolist() == sorted(files)


def test_control_characters_in_names_are_escaped(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "mine", {"sad/\x1b[2J\n.png": b"no image"})
    [line] = read(root)[1].lines(True)
    assert line.startswith("mine, sad/\\x1b[2J\\n.png: not a readable image")


def test_an_enormous_file_is_not_read(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "mine", {"sad/2.png": IMAGES[1]})
    with (root / "sad/huge.bmp").open("wb") as stream:
        stream.truncate(1 << 40)  # sparse
    [line] = read(root)[1].lines(True)
    assert "far too large to be a face (1,099,511,627,776 bytes)" in line


def test_unreadable_files_and_folders_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_folder(tmp_path / "mine", {"sad/2.png": IMAGES[1], "happy/1.png": IMAGES[0]})

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(io, "FileIO", denied)
        assert all("Permission denied" in line for line in read(root)[1].lines(True))
    monkeypatch.setattr(os, "scandir", denied)
    assert "can't be listed (Permission denied)" in fault(root)
