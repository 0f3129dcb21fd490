"""Tables of labels without a header line: no image is lost, whatever its first line looks like."""

from pathlib import Path

import pytest

from tests.fer_models.ingest.layouts.table_sources import (
    NAMES,
    folder,
    labels_of,
    problems,
    read,
    table_text,
)

TABLE = {"path": "labels.csv"}


def without_header(template: str) -> str:
    return table_text(template=template).partition("\n")[2]


@pytest.mark.parametrize(
    "template", ["images/{i},{name}", "{i},{name}", "images/{i}\t{name}", "images/{i} {name}"]
)
def test_paths_without_suffixes_are_all_read(tmp_path: Path, template: str) -> None:
    one = read(folder(tmp_path, without_header(template)), TABLE)
    assert labels_of(one) == [*NAMES]
    [note] = one.findings.notes
    assert "the first line is read as an image's" in note


def test_the_setting_reads_them_without_a_note(tmp_path: Path) -> None:
    one = read(folder(tmp_path, without_header("images/{i} {name}")), {**TABLE, "header": False})
    assert labels_of(one) == [*NAMES]
    assert not one.findings.notes


def test_numbers_of_labels_that_are_names_of_images_too_are_no_paths(tmp_path: Path) -> None:
    rows = "\n".join(f"{i},{i % 2}" for i in range(5))
    one = read(folder(tmp_path, rows), TABLE, label_scheme="fer2013")
    assert labels_of(one) == ["angry", "disgust", "angry", "disgust", "angry"]


def test_two_columns_that_fit_equally_ask(tmp_path: Path) -> None:
    path = folder(tmp_path, "\n".join(f"{i},{4 - i}" for i in range(5)))
    [problem] = problems(path, TABLE)
    assert "Name it with data.table.image: 1, 2" in problem
    one = read(path, {**TABLE, "image": "1"}, label_scheme="fer2013")
    assert labels_of(one)[0] == "sad"


def test_the_text_of_the_first_line_names_no_column(tmp_path: Path) -> None:
    path = folder(tmp_path, without_header("images/{i},{name}"))
    [problem] = problems(path, {**TABLE, "image": "images/0"})
    assert "data.table.image=images/0: there is no such column; name one of 1,2" in problem


def test_a_header_of_unknown_names_is_kept_unless_it_is_a_file(tmp_path: Path) -> None:
    text = table_text("photo,mood", "{i},{name}")
    chosen = {**TABLE, "image": "photo", "label": "mood"}
    one = read(folder(tmp_path, text), chosen)
    assert labels_of(one) == [*NAMES]
    assert not one.findings.notes
    names = [*(f"images/{i}.png" for i in range(5)), "images/photo.png"]
    path = folder(tmp_path / "2", text, names)
    assert "there is no such column" in problems(path, chosen)[0]
    assert labels_of(read(path, {**chosen, "header": True})) == [*NAMES]


def test_a_byte_order_mark_is_no_part_of_the_first_path(tmp_path: Path) -> None:
    text = "\ufeff" + without_header("images/{i}.png {name}")
    assert labels_of(read(folder(tmp_path, text, name="list.txt"))) == [*NAMES]
