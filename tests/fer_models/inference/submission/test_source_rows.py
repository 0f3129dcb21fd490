"""Every row of a source gets its own image and id, whatever the order of the rows."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from fer_models.errors import DataError
from fer_models.inference.submission.source_rows import read_source_rows
from tests.fer_models.ingest.builders import image_bytes, pixel_text, random_images, write_lines

BOXES = "path,face_x,face_y,face_width,face_height"


def two_faces(path: Path, left: int, right: int) -> None:
    """A picture of two grey squares of 50 px side by side."""
    pixels = np.full((50, 100), left, dtype=np.uint8)
    pixels[:, 50:] = right
    path.write_bytes(image_bytes(pixels))


def list_of_faces(folder: Path) -> Path:
    """Rows of one picture that are not neighbours, and not sorted by path."""
    two_faces(folder / "a.png", 10, 20)
    two_faces(folder / "b.png", 100, 110)
    rows = ["b.png,50,0,50,50", "a.png,0,0,50,50", "b.png,0,0,50,50", "a.png,50,0,50,50"]
    return write_lines(folder / "test.csv", BOXES, rows)


def test_rows_of_one_picture_get_their_own_faces(tmp_path: Path) -> None:
    rows = read_source_rows(str(list_of_faces(tmp_path)))
    assert [int(image.mean()) for image in rows.images] == [110, 10, 100, 20]


def test_default_ids_are_unique_where_rows_share_a_picture(tmp_path: Path) -> None:
    rows = read_source_rows(str(list_of_faces(tmp_path)))
    assert (rows.id_name, rows.ids) == ("row", ("0", "1", "2", "3"))
    write_lines(tmp_path / "test.csv", BOXES, ["b.png,50,0,50,50", "a.png,0,0,50,50"])
    rows = read_source_rows(str(tmp_path / "test.csv"))
    assert (rows.id_name, rows.ids) == ("picture", ("b.png", "a.png"))


def test_a_picture_that_cannot_be_read_is_named_by_its_rows(tmp_path: Path) -> None:
    source = list_of_faces(tmp_path)
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError) as caught:
        read_source_rows(str(source))
    found = [problem for problem in caught.value.problems if "not a readable image" in problem]
    assert ["row 1 (line 3)" in found[0], "row 3 (line 5)" in found[1]] == [True, True]
    assert len(found) == len(caught.value.problems) == 2


def test_ids_of_a_compressed_list_are_read(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        two_faces(tmp_path / name, 10, 20)
    content = b"path,key\nb.png,k1\na.png,k2\n"
    (tmp_path / "list.csv.gz").write_bytes(gzip.compress(content))
    rows = read_source_rows(str(tmp_path / "list.csv.gz"), id_column="key")
    assert (rows.id_name, rows.ids) == ("key", ("k1", "k2"))


def test_a_row_without_the_column_of_ids_is_reported(tmp_path: Path) -> None:
    first, second = map(pixel_text, random_images(2))
    source = write_lines(tmp_path / "test.csv", "pixels,key", [f"{first},k1", second])
    with pytest.raises(DataError) as caught:
        read_source_rows(str(source), id_column="key")
    assert any("row 1 (line 3): expected 2 columns" in line for line in caught.value.problems)
