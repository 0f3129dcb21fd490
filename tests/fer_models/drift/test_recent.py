"""Recent images without labels: pictures, folders, archives and tables."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_models.drift.recent import read_recent
from fer_models.errors import DataError
from tests.fer_models.builders import draw_faces


@pytest.fixture
def faces() -> np.ndarray:
    return draw_faces(np.arange(4) % 7, 0)


def _folder(root: Path, faces: np.ndarray) -> Path:
    (root / "any" / "depth").mkdir(parents=True)
    for row, face in enumerate(faces):
        Image.fromarray(face).save(root / "any" / "depth" / f"{row}.png")
    return root


def test_a_folder_of_any_layout_is_read(tmp_path: Path, faces: np.ndarray) -> None:
    recent = read_recent([str(_folder(tmp_path / "recent", faces))])
    np.testing.assert_array_equal(recent.images, faces)
    assert len(recent) == 4
    assert recent.names[0].endswith("0.png")


def test_repeated_images_count_once(tmp_path: Path, faces: np.ndarray) -> None:
    folder = _folder(tmp_path / "recent", np.concatenate([faces, faces[:2]]))
    recent = read_recent([str(folder), str(folder / "any" / "depth" / "1.png")])
    assert (len(recent), recent.num_copies) == (4, 3)


def test_an_archive_is_read(tmp_path: Path, faces: np.ndarray) -> None:
    folder = _folder(tmp_path / "recent", faces)
    with zipfile.ZipFile(tmp_path / "recent.zip", "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, path.relative_to(folder))
        archive.writestr("any/depth/broken.png", b"no picture")
    recent = read_recent([str(tmp_path / "recent.zip")])
    np.testing.assert_array_equal(recent.images, faces)
    [skipped] = recent.skipped
    assert skipped.path == "recent.zip::any/depth/broken.png"


def test_an_unlabelled_table_is_read(tmp_path: Path, faces: np.ndarray) -> None:
    rows = [" ".join(map(str, face.ravel())) for face in faces]
    pd.DataFrame({"pixels": rows}).to_csv(tmp_path / "test.csv", index=False)
    recent = read_recent([str(tmp_path / "test.csv")])
    np.testing.assert_array_equal(recent.images, faces)
    assert recent.names[1] == "test.csv, row 1"


def test_all_bad_paths_are_reported_together(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError) as caught:
        read_recent([str(tmp_path / "absent"), str(tmp_path / "notes.txt")])
    assert len(caught.value.problems) == 2
    assert "absent" in caught.value.problems[0]


def test_a_folder_without_a_readable_picture_gives_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    (tmp_path / "empty").mkdir()
    recent = read_recent([str(tmp_path), str(tmp_path / "empty")])
    assert len(recent) == 0
    assert len(recent.skipped) == 2
