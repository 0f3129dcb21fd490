"""FER+ votes are joined by row, and only to their own table."""

from pathlib import Path

import numpy as np
import pytest

from fer_models.ingest.files.streams import SourceFile
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.ferplus import VoteTable, join_votes, read_votes
from fer_models.ingest.formats.pixel_csv import read_pixel_table
from fer_models.ingest.source_table import SourceTable
from fer_models.labels import VOTE_COLUMNS
from tests.fer_models.ingest.builders import random_images, usages, write_fer2013, write_ferplus

NUM_ROWS = 12


def joined(
    tmp_path: Path, row_usages: list[str], votes: np.ndarray | None = None
) -> tuple[SourceTable, Findings]:
    path = write_ferplus(tmp_path / "fer2013new.csv", row_usages, votes)
    table = fer2013(tmp_path)
    findings = Findings(path.name)
    read = read_votes(SourceFile(path), findings)
    if read is not None:
        join_votes(table, "fer2013.csv", read, findings)
    return table, findings


def fer2013(tmp_path: Path) -> SourceTable:
    path = write_fer2013(tmp_path / "fer2013.csv", random_images(NUM_ROWS))
    table = read_pixel_table(SourceFile(path), Findings("fer2013.csv"))
    assert table is not None
    return table


def test_votes_are_joined_by_row(tmp_path: Path) -> None:
    votes = np.random.default_rng(0).integers(0, 11, (NUM_ROWS, 10))
    table, findings = joined(tmp_path, usages(NUM_ROWS), votes)
    assert not findings.lines(with_rows=True)
    np.testing.assert_array_equal(table.fields[list(VOTE_COLUMNS)], votes)


def test_another_number_of_rows_is_rejected(tmp_path: Path) -> None:
    _, findings = joined(tmp_path, usages(NUM_ROWS)[:-1])
    assert "each of the 12 rows of fer2013.csv, got 11" in findings.faults[0]


def test_shifted_rows_are_detected_by_their_usage(tmp_path: Path) -> None:
    table, findings = joined(tmp_path, ["PrivateTest", *usages(NUM_ROWS)[:-1]])
    [fault] = findings.faults
    assert "Usage differs from fer2013.csv in 3 of 12 rows" in fault
    assert "row 0: PrivateTest, not Training" in fault
    assert not table.has_votes


@pytest.mark.parametrize("count", ["11", "-1", "x", "", "2.5"])
def test_votes_out_of_range_are_bad_rows(tmp_path: Path, count: str) -> None:
    votes = np.full((NUM_ROWS, 10), "1", dtype=object)
    votes[5, 2] = count
    table, findings = joined(tmp_path, usages(NUM_ROWS), votes)
    [line] = findings.lines(with_rows=True)
    assert line.startswith("fer2013new.csv, row 5 (line 7): expected 10 FER+ votes 0..10")
    assert table.fields["reason"].tolist() == [""] * 5 + ["bad_votes"] + [""] * 6
    assert (table.fields.loc[5, list(VOTE_COLUMNS)] == -1).all()


def test_a_repeated_image_name_is_a_bad_row(tmp_path: Path) -> None:
    path = write_ferplus(tmp_path / "fer2013new.csv", usages(NUM_ROWS))
    path.write_text(path.read_text().replace("fer0000004", "fer0000003"))
    table, findings = fer2013(tmp_path), Findings(path.name)
    votes = read_votes(SourceFile(path), findings)
    assert votes is not None
    join_votes(table, "fer2013.csv", votes, findings)
    [line] = findings.lines(with_rows=True)
    assert "row id 'fer0000003.png' is also the id of row 3" in line
    assert table.fields["reason"].tolist()[3:5] == ["", "bad_votes"]


def test_a_truncated_file_and_an_open_quote_are_rejected(tmp_path: Path) -> None:
    path = write_ferplus(tmp_path / "fer2013new.csv", usages(NUM_ROWS))
    text = path.read_text()
    for damaged, expected in (
        (text[:-8], "is truncated;"),
        (text.replace("fer", '"fer', 1), "quote"),
    ):
        path.write_text(damaged)
        findings = Findings(path.name)
        assert read_votes(SourceFile(path), findings) is None
        assert expected in findings.faults[0]


def test_wrong_columns_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "fer2013new.csv"
    path.write_text("Usage,neutral,happiness\nTraining,1,2\n")
    findings = Findings(path.name)
    assert read_votes(SourceFile(path), findings) is None
    assert "expected the FER+ columns Usage,Image name,neutral" in findings.faults[0]


def test_a_table_without_usage_or_with_votes_is_rejected(tmp_path: Path) -> None:
    votes = VoteTable(["train"] * NUM_ROWS, [(1,) * 10] * NUM_ROWS)
    table = fer2013(tmp_path)
    for attribute, value, expected in (
        ("has_usage", False, "has no Usage"),
        ("has_votes", True, "already has FER+ votes"),
    ):
        setattr(table, attribute, value)
        findings = Findings("fer2013new.csv")
        join_votes(table, "train.csv", votes, findings)
        assert expected in findings.faults[0]
