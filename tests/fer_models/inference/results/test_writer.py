"""Predictions in every file format hold the same."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest

from fer_models.errors import ConfigError
from fer_models.inference.picture import Picture, PicturePrediction, PredictedFace
from fer_models.inference.results import writer
from fer_models.inference.results.table import COLUMNS, prediction_table
from fer_models.inference.results.writer import FILE_FORMATS, file_format, predictions_file

CLASSES = ("happy", "=sad")
HAPPY = PredictedFace(
    "happy", 0.75, {"happy": 0.75, "=sad": 0.25}, (1, 2, 30, 40), ((5.0, 6.5),), 0.9, 0.5
)
SAD = PredictedFace("=sad", 1.0, {"happy": 0.0, "=sad": 1.0})
PREDICTIONS = [
    PicturePrediction("a.png", (HAPPY, SAD)),
    PicturePrediction("ü\n.png", (), "no face found"),
    PicturePrediction("b.png", (SAD,)),
]


def write(path: Path, predictions: list[PicturePrediction]) -> None:
    with predictions_file(path, CLASSES, file_format(path)) as file:
        for one in predictions:
            file.add(Picture(one.path), one)


@pytest.fixture(params=[1, 2, 1024])
def _group(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_GROUP", request.param)


def test_the_table_has_a_row_for_each_face_and_each_picture_without_one() -> None:
    table = prediction_table(PREDICTIONS)
    assert tuple(table) == (*COLUMNS, "p_happy", "p_=sad")
    assert table["path"].tolist() == ["a.png", "a.png", "ü\n.png", "b.png"]
    assert table["face"].fillna(-1).tolist() == [0, 1, -1, 0]
    assert table["label"].tolist() == ["happy", "=sad", "", "=sad"]
    assert table["reason"].tolist() == ["", "", "no face found", ""]
    assert table.loc[0, ["left", "top", "right", "bottom"]].tolist() == [1, 2, 30, 40]
    assert table["left"].isna().tolist() == [False, True, True, True]


@pytest.mark.usefixtures("_group")
def test_tables_are_read_back(tmp_path: Path) -> None:
    expected = prediction_table(PREDICTIONS, CLASSES)
    write(tmp_path / "out.parquet", PREDICTIONS)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out.parquet"), expected)
    write(tmp_path / "out.csv", PREDICTIONS)
    read = pd.read_csv(tmp_path / "out.csv", keep_default_na=False, na_values={"face": [""]})
    assert read["label"].tolist() == ["happy", "./=sad", "", "./=sad"]
    assert read["reason"].tolist() == expected["reason"].tolist()
    assert read["confidence"].tolist() == ["0.75", "1.0", "", "1.0"]


@pytest.mark.usefixtures("_group")
def test_json_holds_the_objects(tmp_path: Path) -> None:
    expected = [one.as_dict() for one in PREDICTIONS]
    write(tmp_path / "out.json", PREDICTIONS)
    assert json.loads((tmp_path / "out.json").read_text("utf-8")) == expected
    write(tmp_path / "out.jsonl", PREDICTIONS)
    lines = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == expected


@pytest.mark.parametrize("form", FILE_FORMATS)
def test_no_predictions_are_an_empty_file_of_the_format(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"out.{form}"
    write(path, [])
    if form == "csv":
        assert len(pd.read_csv(path)) == 0
    elif form == "parquet":
        assert len(pd.read_parquet(path)) == 0
    else:
        assert path.read_text() == ("[]\n" if form == "json" else "")


@pytest.mark.parametrize("form", FILE_FORMATS)
def test_an_error_keeps_the_existing_file(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"out.{form}"
    path.write_text("old")
    no_json = PicturePrediction("a.png", (PredictedFace("happy", math.nan, {}),))
    with (
        pytest.raises((KeyError, ValueError)),
        predictions_file(path, CLASSES, file_format(path)) as file,
    ):
        file.add(Picture("a.png"), no_json)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("name", "wanted", "expected"),
    [("a.CSV", None, "csv"), ("a.ndjson", None, "jsonl"), ("a.txt", "json", "json")],
)
def test_the_ending_decides_unless_a_format_is_wanted(
    name: str, wanted: str | None, expected: str
) -> None:
    assert file_format(Path(name), wanted) == expected


@pytest.mark.parametrize("name", ["a.xlsx", "a"])
def test_an_unknown_ending_names_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigError, match=r"\.csv, \.json, \.jsonl, \.parquet.*--format"):
        file_format(Path(name))
