"""Folder names give split and label."""

import pytest

from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.folder_layout import FolderLabel, folder_labels


def labels_of(*files: str) -> tuple[dict[str, FolderLabel], list[str]]:
    findings = Findings("faces")
    return folder_labels(list(files), findings), findings.faults


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("train", "train"),
        ("training", "train"),
        ("validation", "validation"),
        ("valid", "validation"),
        ("val", "validation"),
        ("publictest", "validation"),
        ("test", "test"),
        ("testing", "test"),
        ("privatetest", "test"),
        ("PrivateTest", "test"),
    ],
)
def test_split_folders_have_several_names(folder: str, split: str) -> None:
    path = f"{folder}/sad/1.png"
    assert labels_of(path) == ({path: FolderLabel(split, 4)}, [])


def test_one_split_folder_makes_all_top_folders_splits() -> None:
    labels, faults = labels_of("happy/1.png", "test/happy/2.png", "3.png")
    assert list(labels) == ["test/happy/2.png"]
    assert len(faults) == 2
    assert "folder happy/ beside split folders" in faults[0]
    assert "images beside split folders" in faults[1]


def test_a_split_name_below_the_top_is_not_a_split() -> None:
    labels, faults = labels_of("happy/train/1.png")
    assert labels == {"happy/train/1.png": FolderLabel("", 3)}
    assert not faults
    _, [fault] = labels_of("faces/train/1.png")
    assert "class folder faces/" in fault


def test_a_file_named_like_a_split_is_not_a_split() -> None:
    labels, faults = labels_of("train", "happy/1.png")
    assert labels == {"happy/1.png": FolderLabel("", 3)}
    assert not faults


def test_the_class_is_the_first_folder_below_the_split() -> None:
    labels, faults = labels_of("train/happy/sad/1.png")
    assert labels["train/happy/sad/1.png"] == FolderLabel("train", 3)
    assert not faults
    _, [fault] = labels_of("train/bored/happy/1.png")
    assert "class folder train/bored/" in fault


def test_equal_faults_are_counted() -> None:
    _, [fault] = labels_of("happy/0.png", "bored/1.png", "bored/2.png")
    assert fault.endswith("(2 files, the first is 'bored/1.png')")


def test_other_files_beside_the_classes_are_ignored() -> None:
    labels, faults = labels_of("happy/1.png", "README", "notes/a.txt", "labels.csv")
    assert (list(labels), faults) == (["happy/1.png"], [])
