"""FER2013 as parquet: valid and invalid files."""

from pathlib import Path

import numpy as np
import pytest

from fer_models.ingest.files.streams import SourceFile
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.parquet import read_parquet_table
from fer_models.ingest.source_table import SourceTable
from fer_models.labels import VOTE_COLUMNS
from tests.fer_models.ingest.builders import parquet_columns, random_images, write_parquet

IMAGES = random_images(12)


def read(path: Path) -> tuple[SourceTable | None, Findings]:
    findings = Findings(path.name)
    return read_parquet_table(SourceFile(path), findings), findings


def test_images_labels_splits_and_votes_are_read(tmp_path: Path) -> None:
    table, findings = read(write_parquet(tmp_path / "a.parquet", parquet_columns(IMAGES, True)))
    assert not findings.lines(with_rows=True)
    assert table is not None
    np.testing.assert_array_equal(table.images, IMAGES)
    assert table.fields["label"].tolist() == [row % 7 for row in range(12)]
    assert table.fields["split"].tolist() == ["train"] * 8 + ["validation"] * 2 + ["test"] * 2
    assert (table.fields[list(VOTE_COLUMNS)] == 1).all(axis=None)
    assert table.has_votes
    assert table.has_usage


def test_images_alone_are_unlabelled(tmp_path: Path) -> None:
    columns = {"png": parquet_columns(IMAGES)["png"]}
    table, _ = read(write_parquet(tmp_path / "a.parquet", columns))
    assert table is not None
    assert set(table.fields["label"]) == {-1}
    assert not table.has_votes


def test_every_bad_row_is_named(tmp_path: Path) -> None:
    columns = parquet_columns(IMAGES, True)
    columns["emotion"][1] = 9
    columns["emotion"][2] = None
    columns["Usage"][3] = "Tset"
    columns["png"][4] = None
    columns["png"][5] = b"no image"
    columns["ferplus_fear"][6] = 11
    table, findings = read(write_parquet(tmp_path / "a.parquet", columns))
    assert table is not None
    lines = findings.lines(with_rows=True)
    assert [line.partition(":")[0] for line in lines] == [
        f"a.parquet, row {r}" for r in range(1, 7)
    ]
    for line, part in zip(
        lines, ["'9'", "'None'", "'Tset'", "0 bytes", "not a readable", "FER+ votes"], strict=True
    ):
        assert part in line
    assert table.fields["row"].tolist() == [0, 1, 2, 3, 6, 7, 8, 9, 10, 11]
    assert table.fields["reason"].tolist()[:5] == [
        "",
        "bad_label",
        "bad_label",
        "bad_split",
        "bad_votes",
    ]


@pytest.mark.parametrize("keep", [5, 3000, -1, -20])
def test_a_truncated_file_is_rejected(tmp_path: Path, keep: int) -> None:
    path = write_parquet(tmp_path / "a.parquet", parquet_columns(IMAGES))
    path.write_bytes(path.read_bytes()[:keep])
    table, findings = read(path)
    assert table is None
    assert "truncated or damaged" in findings.faults[0]


def test_damage_inside_is_detected(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", parquet_columns(IMAGES))
    data = bytearray(path.read_bytes())
    data[200:20_000] = bytes(19_800)
    path.write_bytes(data)
    _, findings = read(path)
    assert findings.lines(with_rows=True)


@pytest.mark.parametrize("missing", ["png", "emotion", "ferplus_NF"])
def test_missing_columns_are_reported(tmp_path: Path, missing: str) -> None:
    columns = parquet_columns(IMAGES, True)
    del columns[missing]
    table, findings = read(write_parquet(tmp_path / "a.parquet", columns))
    assert table is None
    assert "expected the column png (image bytes)" in findings.faults[0]


def test_all_wrong_types_are_reported(tmp_path: Path) -> None:
    columns = parquet_columns(IMAGES)
    columns |= {"emotion": ["a"] * 12, "Usage": [1] * 12, "png": ["x"] * 12}
    _, findings = read(write_parquet(tmp_path / "a.parquet", columns))
    assert len(findings.faults) == 3


def test_repeated_row_ids_are_quarantined(tmp_path: Path) -> None:
    columns = parquet_columns(IMAGES)
    columns["row"][5] = 2
    columns["row"][6] = None
    table, findings = read(write_parquet(tmp_path / "a.parquet", columns))
    assert table is not None
    assert table.fields["reason"].tolist()[4:8] == ["", "bad_id", "bad_id", ""]
    repeated, missing = findings.lines(with_rows=True)
    assert "row 5: row id '2' is also the id of row 2" in repeated
    assert "row 6: expected a row id, got none" in missing


def test_an_empty_table_is_rejected(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", parquet_columns(IMAGES))
    import pyarrow.parquet as pq

    pq.write_table(pq.read_table(path).slice(0, 0), path)
    assert "expected rows, got none" in read(path)[1].faults[0]
