"""FER2013 as csv: valid and invalid tables."""

from pathlib import Path

import numpy as np
import pytest

from fer_models.ingest.files.streams import SourceFile
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.pixel_csv import read_pixel_table
from fer_models.ingest.source_table import SourceTable
from fer_models.progress import Progress, listening
from tests.fer_models.ingest.builders import (
    fer2013_lines,
    pixel_text,
    random_images,
    usages,
    write_fer2013,
    write_lines,
)

IMAGES = random_images(20)
PIXELS = pixel_text(IMAGES[0])


def read(path: Path) -> tuple[SourceTable | None, Findings]:
    findings = Findings(path.name)
    return read_pixel_table(SourceFile(path), findings), findings


def read_good(path: Path) -> SourceTable:
    table, findings = read(path)
    assert not findings.lines(with_rows=True)
    assert table is not None
    return table


def read_lines(tmp_path: Path, lines: list[str], end: str = "\n") -> Findings:
    path = write_lines(tmp_path / "fer2013.csv", "emotion,pixels,Usage", lines, end)
    return read(path)[1]


def test_the_complete_table_is_read_in_order(tmp_path: Path) -> None:
    table = read_good(write_fer2013(tmp_path / "fer2013.csv", IMAGES))
    np.testing.assert_array_equal(table.images, IMAGES)
    assert table.fields["row"].tolist() == list(range(20))
    assert table.fields["label"].tolist() == [row % 7 for row in range(20)]
    assert table.fields["split"].tolist() == ["train"] * 14 + ["validation"] * 3 + ["test"] * 3
    assert table.num_rows == 20
    assert table.has_usage


def test_icml_names_with_leading_blanks_are_accepted(tmp_path: Path) -> None:
    lines = [f"{row % 7}, {u}, {pixel_text(IMAGES[row])}" for row, u in enumerate(usages(20))]
    table = read_good(write_lines(tmp_path / "icml.csv", "emotion, Usage, pixels", lines))
    np.testing.assert_array_equal(table.images, IMAGES)
    assert set(table.fields["split"]) == {"train", "validation", "test"}


def test_challenge_training_table_has_no_split(tmp_path: Path) -> None:
    table = read_good(write_lines(tmp_path / "train.csv", "emotion,pixels", [f"3,{PIXELS}"]))
    assert table.fields["label"].tolist() == [3]
    assert table.fields["split"].tolist() == [""]
    assert not table.has_usage


def test_challenge_test_table_is_unlabelled(tmp_path: Path) -> None:
    table = read_good(write_lines(tmp_path / "test.csv", "pixels", [PIXELS, PIXELS]))
    assert table.fields["label"].tolist() == [-1, -1]
    assert table.fields["split"].tolist() == ["", ""]


@pytest.mark.parametrize("end", ["\n", "", "\r\n", "\n\n \n"])
def test_any_line_end_at_the_end_is_accepted(tmp_path: Path, end: str) -> None:
    path = write_lines(tmp_path / "a.csv", "emotion,pixels,Usage", fer2013_lines(IMAGES), end)
    np.testing.assert_array_equal(read_good(path).images, IMAGES)


def test_quotes_byte_order_mark_and_carriage_returns_are_accepted(tmp_path: Path) -> None:
    rows = [f'"2","{pixel_text(image)}","Training"' for image in IMAGES]
    path = tmp_path / "quoted.csv"
    path.write_bytes("\r\n".join(['\ufeff"emotion","pixels","Usage"', *rows]).encode() + b"\r\n")
    np.testing.assert_array_equal(read_good(path).images, IMAGES)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (f"0,{PIXELS.rpartition(' ')[0]},Training", "got 2303"),
        (f"0,{PIXELS} 1,Training", "got 2305"),
        (f"0,{PIXELS.replace(' ', ' 256 ', 1)},Training", "got '256' as pixel 1"),
        (f"0,{PIXELS.replace(' ', ' -1 ', 1)},Training", "got '-1' as pixel 1"),
        (f"0,{PIXELS.replace(' ', ' 1.5 ', 1)},Training", "got '1.5' as pixel 1"),
        ("0,,Training", "got none"),
        (f"9,{PIXELS},Training", "expected an emotion 0..6"),
        (f"-2,{PIXELS},Training", "got '-2'"),
        (f"glad,{PIXELS},Training", "3 happy"),
        (f",{PIXELS},Training", "expected an emotion"),
        (f"0,{PIXELS},Public", "expected Usage Training or PublicTest or PrivateTest"),
        (f"0,{PIXELS}", "expected 3 columns (emotion,pixels,usage), got 2"),
        (f"0,{PIXELS},Training,x", "got 4"),
    ],
)
def test_a_bad_row_is_reported_with_row_line_and_remedy(
    tmp_path: Path, row: str, expected: str
) -> None:
    good = fer2013_lines(IMAGES)
    findings = read_lines(tmp_path, [*good[:17], row, *good[17:]])
    [line] = findings.lines(with_rows=True)
    assert line.startswith("fer2013.csv, row 17 (line 19): expected ")
    assert expected in line
    assert "correct" in line or "complete" in line
    assert not findings.faults


def test_all_problems_of_a_row_are_reported(tmp_path: Path) -> None:
    [line] = read_lines(tmp_path, ["9,1 2 3,Nowhere", *fer2013_lines(IMAGES)]).lines(True)
    assert "got 3" in line
    assert "got '9'" in line
    assert "got 'Nowhere'" in line


def test_many_bad_rows_are_counted_not_listed(tmp_path: Path) -> None:
    lines = read_lines(tmp_path, [f"8,{PIXELS},Training"] * 50).lines(with_rows=True)
    assert len(lines) == 21
    assert lines[-1] == "fer2013.csv: and 30 more like these"


@pytest.mark.parametrize("keep", [10, 5000, 8000, -1, -5])
def test_a_file_truncated_in_its_last_row_is_rejected(tmp_path: Path, keep: int) -> None:
    *rows, last = fer2013_lines(IMAGES)
    findings = read_lines(tmp_path, [*rows, last[:keep]], end="")
    assert not findings.bad_rows
    [fault] = findings.faults
    assert fault.startswith("row 19 (line 21), the last one, is incomplete")
    assert "the file is truncated" in fault


def test_an_incomplete_last_pixel_list_is_a_truncated_file(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "train.csv", "emotion,pixels", [f"3,{PIXELS[:4000]}"], end="")
    assert "the file is truncated" in read(path)[1].faults[0]


def test_a_wrong_label_in_the_last_row_is_not_a_truncation(tmp_path: Path) -> None:
    findings = read_lines(tmp_path, [f"8,{PIXELS},Training"], end="")
    assert not findings.faults
    assert len(findings.bad_rows) == 1


@pytest.mark.parametrize("row", [f'0,"{PIXELS},Training', f'0,"{PIXELS}"x,Training'])
def test_an_unbalanced_quote_is_a_damaged_file(tmp_path: Path, row: str) -> None:
    good = fer2013_lines(IMAGES)
    [fault] = read_lines(tmp_path, [*good[:3], row, *good[3:]]).faults
    assert fault.startswith("row 3 (line 5): a quote is opened and not closed")


@pytest.mark.parametrize(
    "header", ["id,emotion,pixels", ",emotion,pixels", "Unnamed: 0,emotion,pixels"]
)
def test_row_ids_are_optional_and_unique(tmp_path: Path, header: str) -> None:
    lines = [f"{row_id},3,{PIXELS}" for row_id in ("7", "8", "7", "")]
    table, findings = read(write_lines(tmp_path / "a.csv", header, lines))
    assert table is not None
    assert table.fields["reason"].tolist() == ["", "", "bad_id", "bad_id"]
    repeated, missing = findings.lines(with_rows=True)
    assert repeated == (
        "a.csv, row 2 (line 4): row id '7' is also the id of row 0; remove one of the two rows"
    )
    assert "expected a row id, got none" in missing


def test_a_formula_in_a_label_is_shown_as_text(tmp_path: Path) -> None:
    formula = "=cmd|' /C calc'!A0"
    [line] = read_lines(tmp_path, [f"{formula},{PIXELS},Training"]).lines(with_rows=True)
    assert f'got "{formula}"' in line


def test_zero_bytes_are_reported(tmp_path: Path) -> None:
    rows = [f"3,{PIXELS},Training", f"\0,{PIXELS},Training", f"3,\0{PIXELS[1:]},Training"]
    label, pixels = read_lines(tmp_path, rows).lines(with_rows=True)
    assert "got '\\x00'" in label
    assert "as pixel 0" in pixels


def test_an_endless_line_is_rejected_early(tmp_path: Path) -> None:
    [fault] = read_lines(tmp_path, ["0 " * (1 << 20)]).faults
    assert "line 2 is longer than 1,048,576 bytes" in fault


@pytest.mark.parametrize(("num_bytes", "is_rejected"), [((1 << 20) - 1, False), (1 << 20, True)])
def test_the_limit_of_a_line_is_a_mebibyte(
    tmp_path: Path, num_bytes: int, is_rejected: bool
) -> None:
    line = f"3,{PIXELS},Training"
    faults = read_lines(tmp_path, [line.ljust(num_bytes - 1)]).faults
    assert bool(faults) == is_rejected


@pytest.mark.parametrize(("num_blank", "is_rejected"), [(99_999, False), (100_000, True)])
def test_the_limit_of_blank_lines_is_exact(
    tmp_path: Path, num_blank: int, is_rejected: bool
) -> None:
    lines = [*[""] * num_blank, f"3,{PIXELS},Training"]
    faults = read_lines(tmp_path, lines).faults
    assert ["blank lines" in fault for fault in faults] == [True] * is_rejected


def test_cr_line_ends_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("\r".join(["emotion,pixels,Usage", *fer2013_lines(IMAGES)]).encode())
    [fault] = read(path)[1].faults
    assert "its line ends are CR only" in fault
    assert "\r" not in fault


@pytest.mark.parametrize(
    "header",
    ["emotoin,pixels,Usage", "emotion,Usage", "pixels,Usage", "pixels,pixels", "a,b,c", "0,1 2,x"],
)
def test_wrong_columns_are_reported_with_the_expected_ones(tmp_path: Path, header: str) -> None:
    table, findings = read(write_lines(tmp_path / "x.csv", header, [f"0,{PIXELS},Training"]))
    assert table is None
    [fault] = findings.faults
    assert "expected the columns emotion,pixels,Usage" in fault
    assert header.split(",", maxsplit=1)[0] in fault


def test_a_table_without_rows_is_rejected(tmp_path: Path) -> None:
    [fault] = read_lines(tmp_path, []).faults
    assert "expected rows after the header line, got none" in fault


def test_progress_ends_at_the_file_size(tmp_path: Path) -> None:
    events: list[Progress] = []
    with listening(events.append):
        read(write_fer2013(tmp_path / "fer2013.csv", IMAGES))
    assert events[-1].done == events[-1].total > 0
    assert events[-1].note == "fer2013.csv"
