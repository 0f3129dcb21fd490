"""Parquet files as the library `datasets` writes them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_models.ingest.files.streams import SourceFile
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.labels import LabelSettings
from fer_models.ingest.formats.parquet import read_parquet_table
from fer_models.ingest.source_table import SourceTable
from fer_models.labels import UNLABELLED
from tests.fer_models.ingest.builders import image_bytes, random_images

IMAGES = random_images(6)
NAMES = ["sad", "angry", "happy"]
LABELS = [0, 1, 2, 2, 1, 0]


def write(path: Path, names: list[str] | None, **columns: list[Any]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = [{"bytes": image_bytes(image), "path": f"{i}.png"} for i, image in enumerate(IMAGES)]
    table = pa.table({"image": images, "label": LABELS, **columns})
    if names is not None:
        features = {"label": {"names": names, "_type": "ClassLabel"}, "image": {"_type": "Image"}}
        stored = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": stored})
    pq.write_table(table, path)
    return path


def read(path: Path, scheme: str = "") -> tuple[SourceTable | None, Findings]:
    findings = Findings(path.name)
    return read_parquet_table(SourceFile(path), findings, LabelSettings(scheme)), findings


def names_of(table: SourceTable | None) -> list[str]:
    assert table is not None
    return [table.label_names[label] for label in table.fields["label"]]


def test_numbers_mean_the_names_in_the_file(tmp_path: Path) -> None:
    table, findings = read(write(tmp_path / "train-00000-of-00001.parquet", NAMES))
    assert not findings.lines(with_rows=True)
    assert names_of(table) == ["sad", "angry", "happy", "happy", "angry", "sad"]
    assert table is not None
    assert set(table.fields["split"]) == {"train"}
    np.testing.assert_array_equal(table.images, IMAGES)


def test_a_scheme_for_other_sources_does_not_replace_the_names(tmp_path: Path) -> None:
    table, findings = read(write(tmp_path / "a.parquet", NAMES), scheme="affectnet")
    assert names_of(table)[:3] == ["sad", "angry", "happy"]
    assert "data.label_scheme does not apply" in findings.notes[0]


@pytest.mark.parametrize("names", [None, ["0", "1", "2"]])
def test_numbers_without_names_are_not_read(tmp_path: Path, names: list[str] | None) -> None:
    path = write(tmp_path / "a.parquet", names)
    [fault] = read(path)[1].faults
    assert "the labels are numbers (0, 1, 2), and nothing says what they mean" in fault
    table, findings = read(path, scheme="fer2013")
    assert not findings.lines(with_rows=True)
    assert names_of(table)[:3] == ["angry", "disgust", "fear"]


def test_text_labels_and_splits_are_read_and_others_ignored(tmp_path: Path) -> None:
    text = ["sadness", "anger", "happy", "happy", "angry", "sad"]
    columns = {"label": text, "split": ["val"] * 6, "age": [30] * 6}
    table, findings = read(write(tmp_path / "a.parquet", None, **columns))
    assert names_of(table) == ["sad", "angry", "happy", "happy", "angry", "sad"]
    assert table is not None
    assert set(table.fields["split"]) == {"validation"}
    assert findings.notes == ["columns ignored: age"]


def test_a_number_beyond_the_names_is_a_bad_row(tmp_path: Path) -> None:
    _, findings = read(write(tmp_path / "a.parquet", NAMES, label=[0, 1, 2, 3, 9, 0]))
    assert [line.partition(":")[0] for line in findings.lines(with_rows=True)] == [
        "a.parquet, row 3",
        "a.parquet, row 4",
    ]


@pytest.mark.parametrize("missing", [-1, None])
def test_images_without_a_label_have_none(tmp_path: Path, missing: int | None) -> None:
    labels = [0, missing, 2, missing, 1, 9]
    table, findings = read(write(tmp_path / "a.parquet", NAMES, label=labels))
    assert table is not None
    assert table.fields["label"].tolist() == [0, UNLABELLED, 2, UNLABELLED, 1, UNLABELLED]
    assert table.fields["reason"].tolist() == ["", "", "", "", "", "bad_label"]
    [line] = findings.lines(with_rows=True)
    assert line.startswith("a.parquet, row 5: expected a label")


def test_minus_one_is_no_label_without_a_description_either(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", None, label=[0, 1, 2, 3, -1, 0])
    table, findings = read(path, scheme="fer2013")
    assert findings.lines(with_rows=True) == []
    assert table is not None
    assert table.fields["label"].tolist() == [0, 1, 2, 3, UNLABELLED, 0]
    _, findings = read(path)  # the other numbers still need a scheme
    assert "the labels are numbers (0, 1, 2, 3)" in findings.faults[0]


@pytest.mark.parametrize(("name", "split"), [("valid", "validation"), ("fer-test", "test")])
def test_the_split_of_one_file_is_in_its_name(tmp_path: Path, name: str, split: str) -> None:
    table, _ = read(write(tmp_path / f"{name}-00000-of-00001.parquet", NAMES))
    assert table is not None
    assert set(table.fields["split"]) == {split}
