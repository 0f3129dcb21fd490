"""The CSV file round-trips, is safe in spreadsheets, and is written atomically."""

import csv
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_models.errors import DataError, FerError
from fer_models.inference.picture import Picture, PicturePrediction, PredictedFace
from fer_models.inference.results.files import check_target, safe_path
from fer_models.inference.results.table import COLUMNS, prediction_table
from fer_models.inference.results.writer import predictions_file
from fer_models.labels import CLASS_NAMES

PROBABILITY_COLUMNS = [f"p_{name}" for name in CLASS_NAMES]
ODD_PATHS = [
    "faces/plain.png",
    "=cmd|' /C calc'!A0.png",
    "+1.png",
    "-1.png",
    "@SUM(A1).png",
    " =1+1.png",
    "\t=1+1.png",
    "\r=1+1.png",
    "\uff1d1+1.png",
    'a;=1+1,"b".png',
    "two\nlines.png",
    "Gesicht \U0001f600 日本.png",
    "/absolute/=1.png",
]


def predictions(paths: list[str]) -> list[PicturePrediction]:
    probs_NK = np.random.default_rng(0).dirichlet(np.ones(7), len(paths))
    return [
        PicturePrediction(
            path,
            (
                PredictedFace(
                    CLASS_NAMES[int(probs_K.argmax())],
                    float(probs_K.max()),
                    dict(zip(CLASS_NAMES, map(float, probs_K), strict=True)),
                ),
            ),
        )
        for path, probs_K in zip(paths, probs_NK, strict=True)
    ]


def write(paths: list[str], path: Path) -> None:
    with predictions_file(path, CLASS_NAMES, "csv") as file:
        for one in predictions(paths):
            file.add(Picture(one.path), one)


def test_the_file_reads_back_as_the_table(tmp_path: Path) -> None:
    table = prediction_table(predictions(["a.png", "b/c.png"]), CLASS_NAMES)
    write(["a.png", "b/c.png"], tmp_path / "out.csv")
    read = pd.read_csv(tmp_path / "out.csv")
    assert tuple(read.columns) == (*COLUMNS, *PROBABILITY_COLUMNS)
    shown = ["path", "face", "label", "confidence", *PROBABILITY_COLUMNS]
    pd.testing.assert_frame_equal(read[shown], table[shown], check_dtype=False, atol=1e-6)
    np.testing.assert_allclose(read[PROBABILITY_COLUMNS].sum(axis=1), 1, atol=1e-5)


def test_paths_are_not_formulas_and_still_refer_to_their_files(tmp_path: Path) -> None:
    write(ODD_PATHS, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as stream:
        read = [row["path"] for row in csv.DictReader(stream)]
    assert [os.path.normpath(path) for path in read] == ODD_PATHS
    assert not [path for path in read if path.lstrip()[0] in "=+-@\uff1d"]


def test_plain_paths_are_unchanged() -> None:
    for path in ("faces/a.png", "/faces/=a.png", "./-a.png", "a=b.png"):
        assert safe_path(path) == path


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("old\n" * 1000)
    write(["a.png"], tmp_path / "out.csv")
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_a_failed_write_keeps_the_existing_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out.csv").write_text("old")

    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(FerError, match=r"No space left on device.*another file"):
        write(["a.png"], tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_an_unusable_output_path_is_reported_first(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, expected in {
        ".": "it is a folder",
        "file/deep/out.csv": "file is a file, not a folder",
        "face.PNG": "name is that of a picture",
        "x" * 300: "name too long",
    }.items():
        with pytest.raises(DataError, match=expected):
            check_target(tmp_path / name)
    with pytest.raises(DataError, match="device or pipe"):
        check_target(Path(os.devnull))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_link_is_followed_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "real" / "out.csv")
    assert check_target(tmp_path / "link.csv") == (tmp_path / "real" / "out.csv").resolve()
