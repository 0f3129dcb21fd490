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
from tests.fer_models.storage.buckets import put_objects


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


@pytest.mark.s3
def test_a_bucket_is_read_like_the_same_local_files(
    s3_store_url: str, tmp_path: Path, faces: np.ndarray
) -> None:
    folder = _folder(tmp_path / "recent", faces)
    contents = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")
    }
    put_objects(f"{s3_store_url}/recent", {**contents, "broken.png": b"no picture"})
    with zipfile.ZipFile(tmp_path / "recent.zip", "w") as archive:
        archive.writestr("a/0.png", contents["any/depth/0.png"])
    put_objects(s3_store_url, {"recent.zip": (tmp_path / "recent.zip").read_bytes()})

    recent = read_recent([f"{s3_store_url}/recent/"])
    np.testing.assert_array_equal(recent.images, faces)
    assert recent.names[0] == f"{s3_store_url}/recent/any/depth/0.png"
    assert [one.path for one in recent.skipped] == [f"{s3_store_url}/recent/broken.png"]

    others = [f"{s3_store_url}/recent/any/depth/1.png", f"{s3_store_url}/recent.zip::a"]
    recent = read_recent(others)
    np.testing.assert_array_equal(recent.images, faces[[1, 0]])
    assert recent.names == (others[0], "recent.zip::a/0.png")
    with pytest.raises(DataError) as caught:
        read_recent([f"{s3_store_url}/absent", "https://example.org/a.zip"])
    assert len(caught.value.problems) == 2


def test_the_home_folder_can_be_named(
    tmp_path: Path, faces: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    _folder(tmp_path / "recent", faces)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(read_recent(["~/recent"])) == 4
