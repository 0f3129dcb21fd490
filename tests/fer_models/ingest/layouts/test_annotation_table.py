"""Tables of labels beside images: columns, places, and what is reported."""

from pathlib import Path

import numpy as np
import pytest

from fer_models.ingest.config import DataConfig, TableConfig
from fer_models.ingest.ingest import fingerprint_sources
from tests.fer_models.ingest.builders import image_bytes
from tests.fer_models.ingest.layouts.published import face
from tests.fer_models.ingest.layouts.table_sources import (
    NAMES,
    folder,
    labels_of,
    problems,
    read,
    table_text,
)

# -- columns -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    ["path,label", "filename,emotion", "Image,Class", "image_path,expression", "img,emotion_name"],
)
def test_columns_have_several_names(tmp_path: Path, header: str) -> None:
    assert labels_of(read(folder(tmp_path, table_text(header)))) == [*NAMES]


def test_any_column_is_recognised_by_its_paths(tmp_path: Path) -> None:
    assert labels_of(read(folder(tmp_path, table_text("photo,label")))) == [*NAMES]


def test_other_columns_are_named_by_settings(tmp_path: Path) -> None:
    path = folder(tmp_path, table_text("key,mood", "images/{i},{name}"))
    [problem] = problems(path, {"path": "labels.csv"})
    assert "data.table.image" in problem
    [problem] = problems(path, {"path": "labels.csv", "image": "key"})
    assert "which column contains the labels? Name it with data.table.label: mood" in problem
    assert labels_of(read(path, {"path": "labels.csv", "image": "key", "label": "mood"})) == [
        *NAMES
    ]


def test_a_table_without_header_line_is_read(tmp_path: Path) -> None:
    text = table_text().partition("\n")[2]
    assert labels_of(read(folder(tmp_path, text))) == [*NAMES]


def test_a_list_separated_by_blanks_is_read(tmp_path: Path) -> None:
    text = table_text(template="images/{i}.png {name}").partition("\n")[2]
    assert labels_of(read(folder(tmp_path, text, name="list.txt"))) == [*NAMES]
    [problem] = problems(folder(tmp_path / "2", text + " x", name="list.txt"))
    assert "expected 2 columns in every row, got another number in 1 (line 5)" in problem


def test_names_are_read_before_numbers(tmp_path: Path) -> None:
    text = table_text("path,label,label_name", "images/{i}.png,9,{name}")
    assert labels_of(read(folder(tmp_path, text))) == [*NAMES]


def test_numbers_need_a_scheme(tmp_path: Path) -> None:
    path = folder(tmp_path, table_text(template="images/{i}.png,{i}"))
    [problem] = problems(path)
    assert "the labels are numbers (0, 1, 2, 3, 4), and nothing says what they mean" in problem
    assert labels_of(read(path, label_scheme="fer2013")) == [*NAMES]
    assert labels_of(read(path, label_scheme="affectnet"))[0] == "neutral"


def test_two_differing_columns_of_labels_are_ambiguous(tmp_path: Path) -> None:
    rows = [f"images/{i}.png,{name},{NAMES[-1 - i]}" for i, name in enumerate(NAMES)]
    path = folder(tmp_path, "\n".join(["path,label,emotion", *rows]))
    [problem] = problems(path)
    assert "emotion and label may both be the labels, and they differ" in problem
    assert labels_of(read(path, {"label": "label"})) == [*NAMES]


def test_a_text_column_that_numbers_contradict_is_ambiguous(tmp_path: Path) -> None:
    kinds = ["photo", "drawing"]
    rows = [f"images/{i}.png,{i % 3},{kinds[i % 2]}" for i in range(5)]
    path = folder(tmp_path, "\n".join(["path,emotion,category", *rows]))
    [problem] = problems(path)
    assert "emotion and category may both be the labels, and they differ" in problem
    assert "data.table.label=emotion" in problem
    found = labels_of(read(path, {"label": "emotion"}, label_scheme="fer2013"))
    assert found == ["angry", "disgust", "fear", "angry", "disgust"]


def test_a_text_column_beside_numbers_is_read_with_a_note(tmp_path: Path) -> None:
    one = read(folder(tmp_path, table_text("path,emotion,category", "images/{i}.png,{i},{name}")))
    assert labels_of(one) == [*NAMES]
    [note] = one.findings.notes
    assert note.startswith("labels.csv: the labels are those of the column category, not the")
    assert note.endswith("numbers of emotion, which data.table.label=emotion reads")


def test_boxes_are_cut_out_whatever_the_number_of_the_label(tmp_path: Path) -> None:
    rows = [f"images/{i}.png,{i + 6},8,8,32,32" for i in range(5)]
    header = "path,label,face_x,face_y,face_width,face_height"
    path = folder(tmp_path, "\n".join([header, *rows]))
    names = tuple(f"mood {letter}" for letter in "abcdefghijk")
    one = read(path, label_scheme=names, image_size_px=32)
    assert one.table is not None
    for number, image in enumerate(one.table.images):
        np.testing.assert_array_equal(image, face(number)[8:40, 8:40])


def test_the_numbers_that_affectnets_numbering_leaves_out_need_no_box(tmp_path: Path) -> None:
    boxes = ["8,8,32,32"] * 4 + ["NULL,NULL,NULL,NULL"]
    rows = [f"images/{i}.png,{i + 6},{box}" for i, box in enumerate(boxes)]
    header = "path,label,face_x,face_y,face_width,face_height"
    one = read(folder(tmp_path, "\n".join([header, *rows])), label_scheme="affectnet")
    assert one.table is not None
    assert len(one.table.images) == 5


def test_splits_have_any_common_spelling(tmp_path: Path) -> None:
    splits = ["Training", "TRAIN", "val", "PublicTest", "test_set"]
    rows = [f"images/{i}.png,{name},{splits[i]}" for i, name in enumerate(NAMES)]
    one = read(folder(tmp_path, "\n".join(["path,label,fold", *rows])))
    assert one.table is not None
    expected = ["train", "train", "validation", "validation", "test"]
    assert one.table.fields["split"].tolist() == expected


def test_numbers_of_folds_are_no_splits(tmp_path: Path) -> None:
    one = read(folder(tmp_path, table_text("path,label,fold", "images/{i}.png,{name},{i}")))
    assert one.table is not None
    assert set(one.table.fields["split"]) == {""}


def test_an_unknown_split_is_a_problem_of_its_row(tmp_path: Path) -> None:
    text = table_text("path,label,split", "images/{i}.png,{name},train").replace(
        "sad,train", "sad,tranning"
    )
    path = folder(tmp_path, text)
    [problem] = problems(path)
    assert "expected a split (train, validation or test), got 'tranning'" in problem
    assert labels_of(read(path, {"split": "none"})) == [*NAMES]


def test_an_image_without_label_is_a_problem_unless_none_has_one(tmp_path: Path) -> None:
    path = folder(tmp_path, table_text().replace(",sad", ","))
    [problem] = problems(path)
    assert "labels.csv row 4 (line 6) (images/4.png): no label; add it" in problem
    assert set(labels_of(read(path, {"label": "none", "path": "labels.csv"}))) == {""}


# -- where the table is --------------------------------------------------------------------------


def test_a_table_elsewhere_is_named_by_a_setting(tmp_path: Path) -> None:
    path = folder(tmp_path, table_text())
    table = (path / "labels.csv").rename(tmp_path / "mine.csv")
    assert labels_of(read(path, {"path": str(table)})) == [*NAMES]
    assert labels_of(read(folder(tmp_path / "2", table_text(), name="a/b.csv"), {"path": "b.csv"}))
    [problem] = problems(path, {"path": "absent.csv"})
    assert "data.table.path=absent.csv: there is no such file" in problem


def test_the_table_itself_may_be_the_source(tmp_path: Path) -> None:
    path = folder(tmp_path, table_text())
    one = read(path / "labels.csv")
    assert labels_of(one) == [*NAMES]
    assert one.source.stem == "labels"


def test_a_table_without_any_of_its_images_asks_for_their_folder(tmp_path: Path) -> None:
    alone = tmp_path / "labels.csv"
    alone.write_text(table_text())
    [problem] = problems(alone)
    assert "the source contains none of its 5 images, such as images/0.png" in problem
    assert "data.table.path" in problem


def test_the_fingerprint_depends_on_table_and_images(tmp_path: Path) -> None:
    path = folder(tmp_path, table_text())
    seen = set()

    def add(source: Path, **table: str) -> None:
        config = DataConfig(sources=(str(source),), table=TableConfig(**table))  # type: ignore[arg-type]
        seen.add(fingerprint_sources(config, 0))

    add(path / "labels.csv")
    (path / "unlisted.txt").write_text("x")
    add(path / "labels.csv")
    assert len(seen) == 1
    (path / "images/0.png").write_bytes(image_bytes(face(9)))
    add(path / "labels.csv")
    outside = (path / "labels.csv").rename(tmp_path / "outside.csv")
    add(path, path=str(outside))
    outside.write_text(table_text().replace("sad", "happy"))
    add(path, path=str(outside))
    assert len(seen) == 4


# -- what is reported ----------------------------------------------------------------------------


def test_missing_and_repeated_rows_are_reported_together_and_can_be_quarantined(
    tmp_path: Path,
) -> None:
    extra = [f"images/{i}.png,happy" for i in range(90, 95)]
    text = "\n".join([table_text(), *extra, "images/0.png,angry", "images/1.png,fear"])
    path = folder(tmp_path, text)
    conflict, missing, repeated = sorted(problems(path), key=_kind)
    assert "and 2 more: no such image; add the files, or remove the rows" in missing
    assert "row 10" in repeated
    assert "row 11" in repeated
    assert "a second row of the same image" in repeated
    assert "gives another label, 'fear'; remove one of the rows" in conflict
    one = read(path, quarantine_bad_rows=True)
    assert one.table is not None
    assert one.table.fields["reason"].tolist() == ["", "bad_label", "", "", ""]
    assert len([bad for bad in one.findings.bad_rows if not bad.has_image]) == 7


def _kind(problem: str) -> int:
    kinds = ("another label", "no such image", "a second row")
    return next(number for number, kind in enumerate(kinds) if kind in problem)


def test_images_without_a_row_are_noted(tmp_path: Path) -> None:
    names = [f"images/{i}.png" for i in range(7)]
    one = read(folder(tmp_path, table_text(), names))
    assert labels_of(one) == [*NAMES]
    assert one.findings.notes == ["2 images are not read: no row in labels.csv"]


def test_a_row_of_another_length_is_reported(tmp_path: Path) -> None:
    [problem] = problems(folder(tmp_path, table_text() + ",x"))
    assert "expected 2 columns in every row, got another number in 1 (row 4 (line 6))" in problem


# -- beside class folders ------------------------------------------------------------------------

IN_CLASSES = [f"{name}/{i}.png" for i, name in enumerate(NAMES)]


def test_a_table_that_agrees_with_class_folders_adds_its_splits(tmp_path: Path) -> None:
    text = table_text("path,label,split", "{name}/{i}.png,{name},test")
    one = read(folder(tmp_path, text, IN_CLASSES))
    assert labels_of(one) == [*NAMES]
    assert one.table is not None
    assert set(one.table.fields["split"]) == {"test"}


def test_a_table_that_contradicts_class_folders_asks(tmp_path: Path) -> None:
    text = table_text("path,label", "{name}/{i}.png,{name}").replace(",sad", ",happy")
    path = folder(tmp_path, text, IN_CLASSES)
    [problem] = problems(path)
    assert "give 1 images different labels (sad/4.png: happy and sad)" in problem
    assert labels_of(read(path, {"path": "none"})) == [*NAMES]
    assert labels_of(read(path, {"path": "labels.csv"})) == [*NAMES[:4], "happy"]


@pytest.mark.parametrize("template", ["{name}/{i}.png,{i}", "{name}/0.png,{name}"])
def test_numbers_or_a_part_of_the_images_do_not_replace_class_folders(
    tmp_path: Path, template: str
) -> None:
    one = read(folder(tmp_path, table_text(template=template), IN_CLASSES))
    assert labels_of(one) == [*NAMES]
    assert "labels.csv: not read; the folders are the classes, and" in one.findings.notes[0]
