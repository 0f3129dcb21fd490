"""Tables of pixels as they are found in public: separators, columns, labels, sizes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_models.classes.names import EMOTIONS
from fer_models.ingest.config import TableConfig
from fer_models.ingest.files.image_decoding import decode_image
from fer_models.ingest.files.streams import SourceFile
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.labels import LabelSettings
from fer_models.ingest.formats.pixel_csv import read_pixel_table
from fer_models.ingest.source_table import SourceTable
from tests.fer_models.ingest.builders import image_bytes, pixel_text, random_images, write_lines

IMAGES = random_images(14)
LABELS = [row % 7 for row in range(14)]


def read(
    path: Path, scheme: str = "", table: TableConfig | None = None
) -> tuple[SourceTable | None, Findings]:
    findings = Findings(path.name)
    settings = LabelSettings(scheme, None, table or TableConfig())
    return read_pixel_table(SourceFile(path), findings, settings), findings


def names_of(table: SourceTable) -> list[str]:
    return [table.label_names[label] for label in table.fields["label"]]


def assert_is_fer2013(path: Path, **settings: object) -> Findings:
    table, findings = read(path, **settings)  # type: ignore[arg-type]
    assert findings.lines(with_rows=True) == []
    assert table is not None
    assert names_of(table) == [EMOTIONS[label] for label in LABELS]
    np.testing.assert_array_equal(table.images, IMAGES)
    return findings


def rows(template: str, images: np.ndarray = IMAGES) -> list[str]:
    """One line an image: `{n}` is its number, `{name}` its name, `{p}` its pixels."""
    return [
        template.format(n=label, name=EMOTIONS[label], p=pixel_text(image))
        for label, image in zip(LABELS, images, strict=True)
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_header_line_decides_the_separator(tmp_path: Path, separator: str) -> None:
    header = "emotion,pixels,Usage".replace(",", separator)
    path = write_lines(tmp_path / "a.csv", header, rows("{n},{p},Training".replace(",", separator)))
    assert_is_fer2013(path)


def test_an_empty_last_column_of_a_tab_separated_table_is_a_column(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.tsv", "emotion\tpixels\tremark", rows("{n}\t{p}\t"))
    assert_is_fer2013(path)


@pytest.mark.parametrize("pixels", ['"[{p}]"', '"({p})"', '"{p}"'])
def test_brackets_and_commas_around_pixels_do_not_count(tmp_path: Path, pixels: str) -> None:
    lines = [
        f"{label},{pixels.format(p=pixel_text(image).replace(' ', ', '))},Training"
        for label, image in zip(LABELS, IMAGES, strict=True)
    ]
    assert_is_fer2013(write_lines(tmp_path / "a.csv", "emotion,pixels,Usage", lines))


def test_an_unclosed_bracket_is_a_problem(tmp_path: Path) -> None:
    lines = [*rows("{n},[{p}]"), f"3,[{pixel_text(IMAGES[0])}"]
    _, findings = read(write_lines(tmp_path / "a.csv", "emotion,pixels", lines))
    [line] = findings.lines(with_rows=True)
    assert "row 14 (line 16)" in line


def test_other_columns_are_ignored_with_one_note(tmp_path: Path) -> None:
    header = "sample_id,emotion,emotion_name,pixels,usage,score"
    path = write_lines(tmp_path / "a.csv", header, rows("x,{n},{name},{p},training,0.5"))
    findings = assert_is_fer2013(path)
    assert findings.notes == ["columns ignored: sample_id, score, emotion_name"]


def test_names_that_contradict_the_numbers_are_a_fault(tmp_path: Path) -> None:
    lines = [f"1,surprise,{pixel_text(IMAGES[0])}", f"3,happy,{pixel_text(IMAGES[1])}"]
    path = write_lines(tmp_path / "a.csv", "emotion,emotion_name,pixels", lines)
    [fault] = read(path)[1].faults
    assert "emotion and emotion_name contradict each other in 1 rows" in fault
    assert "1 means disgust, the name is surprise" in fault
    table, findings = read(path, table=TableConfig(label="emotion_name"))
    assert not findings.lines(with_rows=True)
    assert table is not None
    assert names_of(table) == ["surprise", "happy"]


@pytest.mark.parametrize("label", ["{n}.0", "{name}", " {name} "])
def test_labels_may_be_text_or_floats(tmp_path: Path, label: str) -> None:
    assert_is_fer2013(write_lines(tmp_path / "a.csv", "emotion,pixels", rows(f"{label},{{p}}")))


@pytest.mark.parametrize("column", ["label", "class", "expression", "Target"])
def test_only_a_column_emotion_proves_the_numbering(tmp_path: Path, column: str) -> None:
    path = write_lines(tmp_path / "a.csv", f"{column},pixels,Usage", rows("{n},{p},Training"))
    [fault] = read(path)[1].faults
    assert "the labels are numbers (0, 1, 2, 3, 4, 5, 6)" in fault
    assert "data.label_scheme" in fault
    assert_is_fer2013(path, scheme="fer2013")
    names = write_lines(tmp_path / "b.csv", f"{column},pixels", rows("{name},{p}"))
    assert_is_fer2013(names)


def test_a_seven_beside_fer2013s_numbers_asks_for_the_scheme(tmp_path: Path) -> None:
    lines = [*rows("{n},{p}"), f"7,{pixel_text(IMAGES[0])}"]
    path = write_lines(tmp_path / "ckextended.csv", "emotion,pixels", lines)
    [fault] = read(path)[1].faults
    assert "label 7 occurs" in fault
    assert "ckplus (8 classes" in fault
    table, findings = read(path, scheme="ckplus")
    assert not findings.lines(with_rows=True)
    assert table is not None
    assert names_of(table)[-1] == "contempt"


@pytest.mark.parametrize("side", [24, 64, 100])
def test_the_number_of_values_decides_the_size(tmp_path: Path, side: int) -> None:
    images = np.random.default_rng(1).integers(0, 256, (14, side, side), dtype=np.uint8)
    path = write_lines(tmp_path / "a.csv", "emotion,pixels", rows("{n},{p}", images))
    table, findings = read(path)
    assert not findings.lines(with_rows=True)
    assert table is not None
    for read_image, image in zip(table.images, images, strict=True):
        np.testing.assert_array_equal(read_image, decode_image(image_bytes(image)))
    [note] = findings.notes
    assert note.startswith(f"images of {side} x {side} were resized to 48 x 48")


@pytest.mark.parametrize("side", [40, 56])
def test_all_rows_have_the_size_of_most(tmp_path: Path, side: int) -> None:
    other = pixel_text(np.asarray(Image.fromarray(IMAGES[0]).resize((side, side))))
    lines = [f"0,{other}", *rows("{n},{p}")]
    _, findings = read(write_lines(tmp_path / "a.csv", "emotion,pixels", lines))
    [line] = findings.lines(with_rows=True)
    assert f"row 0 (line 2): expected 2304 pixel values (48 x 48), got {side * side}" in line


def test_an_unknown_column_of_labels_is_named_by_a_setting(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", "mood,pixels", rows("{name},{p}"))
    [fault] = read(path)[1].faults
    assert "data.table.label=mood" in fault
    assert_is_fer2013(path, table=TableConfig(label="mood"))
    [fault] = read(path, table=TableConfig(label="moood"))[1].faults
    assert "there is no such column; name one of mood,pixels" in fault
    table, findings = read(path, table=TableConfig(label="none"))
    assert not findings.lines(with_rows=True)
    assert table is not None
    assert set(table.fields["label"]) == {-1}


def test_a_misspelt_column_is_suggested(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", "emotoin,pixels,Usage", rows("{name},{p},Training"))
    [fault] = read(path)[1].faults
    assert "data.table.label=emotoin" in fault
    assert_is_fer2013(path, table=TableConfig(label="emotoin"))


def test_two_columns_of_labels_are_ambiguous(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", "label,class,pixels", rows("{name},{n},{p}"))
    [fault] = read(path)[1].faults
    assert "label and class may both be the labels" in fault
    assert_is_fer2013(path, table=TableConfig(label="label"))


def test_a_split_that_is_none_can_be_ignored(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", "emotion,pixels,Usage", rows("{n},{p},fold3"))
    _, findings = read(path)
    assert "ignore the column with data.table.split=none" in findings.lines(with_rows=True)[0]
    assert_is_fer2013(path, table=TableConfig(split="none"))


def test_a_missing_header_line_is_stated(tmp_path: Path) -> None:
    first, *others = rows("{n},{p}")
    [fault] = read(write_lines(tmp_path / "a.csv", first, others))[1].faults
    assert "the header line is missing: insert it as the first line" in fault


def test_a_likely_misspelling_is_stated(tmp_path: Path) -> None:
    lines = [f"{name},{pixel_text(IMAGES[0])}" for name in ("happy", "happpy", "bored")]
    table, findings = read(write_lines(tmp_path / "a.csv", "label,pixels", lines))
    assert table is not None
    assert set(names_of(table)) == {"happy", "happpy", "bored"}
    [note] = findings.notes
    assert note.startswith("happpy is a class of its own; if it means happy, merge them with")
    assert "data.classes={happy: [happy, happpy]}" in note


def test_texts_that_differ_by_the_number_in_front_are_one_class_with_a_note(
    tmp_path: Path,
) -> None:
    texts = ("1_pain", "2_pain", "2_Pain", "grade_1_ache", "grade_2_ache", "0_happy", "6_happy")
    lines = [f"{name},{pixel_text(IMAGES[0])}" for name in texts]
    table, findings = read(write_lines(tmp_path / "a.csv", "label,pixels", lines))
    assert table is not None
    assert set(names_of(table)) == {"pain", "grade 1 ache", "grade 2 ache", "happy"}
    [note] = findings.notes
    assert note.startswith("1_pain and 2_Pain are one class, pain, because a number in front")


def test_of_several_sources_one_with_fer2013s_columns_keeps_its_numbers(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", "emotion,pixels", rows("{n},{p}"))
    for several, first in ((False, "neutral"), (True, "angry")):
        settings = LabelSettings("affectnet", has_several_sources=several)
        findings = Findings("a")
        table = read_pixel_table(SourceFile(path), findings, settings)
        assert table is not None
        assert names_of(table)[0] == first
        [note] = findings.notes
        assert ("data.label_scheme does not apply" in note) == several
        assert ("the numbers are read as data.label_scheme says" in note) != several
