"""Folder names give split and label."""

import pytest

from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.labels import DEFAULT_LABELS, LabelReader, LabelSettings
from fer_models.ingest.layouts.folders import folder_labels

Found = dict[str, tuple[str, str]]


def labels_of(*files: str, settings: LabelSettings = DEFAULT_LABELS) -> tuple[Found, list[str]]:
    """Split and class name of each file, and the faults."""
    findings, labels = Findings("faces"), LabelReader(settings)
    found = folder_labels(sorted(files), findings, labels)
    numbers = {path: labels.read(one.label)[0] for path, one in found.items()}
    labels.finish(findings)
    names = [*labels.names, "unlabelled"]
    named = {path: (one.split, names[numbers[path]]) for path, one in found.items()}
    return named, findings.faults


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
    assert labels_of(path) == ({path: (split, "sad")}, [])


def test_one_split_folder_makes_all_top_folders_splits() -> None:
    labels, faults = labels_of("happy/1.png", "test/happy/2.png", "3.png")
    assert list(labels) == ["test/happy/2.png"]
    assert len(faults) == 2
    assert "folder happy/ beside split folders" in faults[0]
    assert "images beside split folders" in faults[1]


def test_splits_may_lie_within_the_classes() -> None:
    labels, faults = labels_of("happy/train/1.png", "sad/test/1.png")
    assert labels == {"happy/train/1.png": ("train", "happy"), "sad/test/1.png": ("test", "sad")}
    assert not faults
    labels, faults = labels_of("happy/train/1.png", "sad/more/1.png")
    assert labels == {"happy/train/1.png": ("", "happy"), "sad/more/1.png": ("", "sad")}


def test_a_file_named_like_a_split_is_not_a_split() -> None:
    labels, faults = labels_of("train", "happy/1.png")
    assert labels == {"happy/1.png": ("", "happy")}
    assert not faults


def test_the_class_is_the_first_folder_below_the_split() -> None:
    labels, faults = labels_of("train/happy/sad/1.png")
    assert labels["train/happy/sad/1.png"] == ("train", "happy")
    assert not faults


@pytest.mark.parametrize("split", ["", "train/"])
def test_a_folder_of_several_classes_may_have_the_name_of_a_class(split: str) -> None:
    labels, faults = labels_of(f"joyful/{split}sad/1.png", f"joyful/{split}fear/2.png")
    assert [name for _, name in labels.values()] == ["fear", "sad"]
    assert not faults
    labels, [fault] = labels_of(f"joyful/{split}bored/1.png", f"joyful/{split}calm/2.png")
    assert not labels
    assert "all images lie in joyful/: if that is a data set" in fault


def test_two_levels_with_names_of_classes_that_differ_are_ambiguous() -> None:
    labels, [fault] = labels_of("happy/sad/1.png", "sad/happy/2.png")
    assert not labels
    assert "two levels of folders have the names of classes, and they differ" in fault
    labels, faults = labels_of("happy/happy/1.png", "sad/sad/2.png")
    assert [name for _, name in labels.values()] == ["happy", "sad"]
    assert not faults


def test_any_folder_name_is_a_class() -> None:
    labels, faults = labels_of("train/happy/1.png", "train/Very_Bored/2.png", "test/0_angry/3.png")
    assert [name for _, name in labels.values()] == ["angry", "very bored", "happy"]
    assert not faults


@pytest.mark.parametrize("above", ["", "images/", "a/b c/"])
def test_folders_above_the_splits_and_classes_do_not_count(above: str) -> None:
    labels, faults = labels_of(f"{above}train/sad/1.png", f"{above}val/joy/1.png", "README.md")
    assert list(labels.values()) == [("train", "sad"), ("validation", "happy")]
    assert not faults
    labels, _ = labels_of(f"{above}sad/1.png", f"{above}bored/1.png")
    assert [name for _, name in labels.values()] == ["bored", "sad"]


def test_the_level_with_the_names_of_emotions_is_the_class() -> None:
    labels, faults = labels_of("ann/happy/1.png", "ann/sad/2.png", "bob/happy/3.png")
    assert [name for _, name in labels.values()] == ["happy", "sad", "happy"]
    labels, _ = labels_of("001/happy/1.png", "002/sad/2.png")
    assert [name for _, name in labels.values()] == ["happy", "sad"]
    assert not faults


def test_levels_without_any_known_name_are_ambiguous_until_the_classes_are_named() -> None:
    files = ("ann/bored/1.png", "ann/awake/2.png", "bob/bored/3.png")
    labels, [fault] = labels_of(*files)
    assert not labels
    assert "data.classes" in fault
    labels, faults = labels_of(*files, settings=LabelSettings(classes=("bored", "awake")))
    assert [name for _, name in labels.values()] == ["awake", "bored", "bored"]
    assert not faults


def test_numbers_need_a_scheme() -> None:
    files = ("1/a.png", "2/b.png", "7/c.png")
    _, [fault] = labels_of(*files)
    assert "the labels are numbers (1, 2, 7)" in fault
    assert "rafdb (7 classes: 1 surprise, 2 fear" in fault
    assert "fer2013 (" not in fault
    labels, faults = labels_of(*files, settings=LabelSettings(scheme="rafdb"))
    assert [name for _, name in labels.values()] == ["surprise", "fear", "neutral"]
    assert not faults


def test_equal_faults_are_counted() -> None:
    _, [fault] = labels_of("happy/0.png", "%/1.png", "%/2.png")
    assert fault.endswith("(2 files, the first is '%/1.png')")


def test_other_files_beside_the_classes_are_ignored() -> None:
    labels, faults = labels_of("happy/1.png", "README", "notes/a.txt", "labels.csv")
    assert (list(labels), faults) == (["happy/1.png"], [])
