"""What the labels became, in words."""

from fer_models.classes.class_list import FER2013_CLASSES, ClassList
from fer_models.classes.described import label_lines


def test_fer2013_as_it_is_needs_no_line() -> None:
    sources = [{"source": "fer2013.csv", "scheme": "", "labels": {}}]
    assert label_lines({"classes": FER2013_CLASSES.info(), "label_sources": sources}) == []
    assert label_lines({}) == []


def test_numbers_are_stated_with_their_order() -> None:
    labels = {"1": "surprise", "4": "happy"}
    sources = [{"source": "faces", "scheme": "rafdb", "labels": labels}]
    classes = ClassList.named(["happy", "surprise"])
    first, second = label_lines({"classes": classes.info(), "label_sources": sources})
    assert first == "classes: happy, surprise"
    assert second.startswith("faces: numbers read as RAF-DB's (1 surprise, 2 fear, 3 disgust")


def test_other_spellings_and_left_out_labels_are_stated_once() -> None:
    labels = {"Suprise": "surprise", "joy": "happy", "contempt": None}
    notes = ["columns ignored: quality"]
    sources = [{"source": "faces", "scheme": "", "labels": labels, "notes": notes}]
    assert label_lines({"label_sources": sources}) == [
        "faces: read Suprise as surprise, joy as happy; left out contempt",
        "faces: columns ignored: quality",
    ]


def test_numbers_are_read_by_the_names_in_the_file_or_by_the_setting() -> None:
    labels = {"0": "sad", "1": "happy"}
    for scheme, by in (("file", "the names in the file"), ("own", "data.label_scheme")):
        sources = [{"source": "faces", "scheme": scheme, "labels": labels}]
        [line] = label_lines({"label_sources": sources})
        assert line == f"faces: numbers read by {by} (0 sad, 1 happy)"
