"""The paths of a table lead to its images, and faces are cut out by its boxes."""

from pathlib import Path

import numpy as np
import pytest

from tests.fer_models.ingest.builders import image_bytes, write_folder
from tests.fer_models.ingest.layouts.published import face, framed
from tests.fer_models.ingest.layouts.table_sources import (
    NAMES,
    folder,
    labels_of,
    problems,
    read,
    table_text,
)

# -- paths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "template",
    [
        "./images/{i}.png,{name}",
        "/home/me/faces/images/{i}.png,{name}",
        "C:\\data\\images\\{i}.png,{name}",
        "{i}.png,{name}",
        "Images/{i}.PNG,{name}",
        "old/pictures/../images/{i}.png,{name}",
    ],
)
def test_paths_may_begin_anywhere(tmp_path: Path, template: str) -> None:
    assert labels_of(read(folder(tmp_path, table_text(template=template)))) == [*NAMES]


def test_ids_are_names_without_suffix(tmp_path: Path) -> None:
    path = folder(tmp_path, table_text("id,label", "{i},{name}"))
    assert labels_of(read(path)) == [*NAMES]


def test_names_alone_are_found_in_folders_of_classes(tmp_path: Path) -> None:
    names = [f"DATASET/train/{6 - i}/train_{i}_aligned.png" for i in range(5)]
    text = table_text("image,label", "train_{i}_aligned.png,{name}")
    one = read(folder(tmp_path, text, names, "train_labels.csv"))
    assert labels_of(one) == [*reversed(NAMES)]  # the images are in the order of their paths
    assert one.table is not None
    assert set(one.table.fields["split"]) == {"train"}


def test_a_name_in_two_folders_is_decided_by_the_split_or_refused(tmp_path: Path) -> None:
    names = [f"{split}/{k}/{i}.png" for k in "ab" for split in ("train", "test") for i in range(5)]
    del names[5:15]
    rows = [f"{i}.png,{name},train" for i, name in enumerate(NAMES)]
    rows += [f"{i}.png,{name},test" for i, name in enumerate(NAMES)]
    path = folder(tmp_path, "\n".join(["file,label,split", *rows]), names)
    one = read(path)
    assert one.table is not None
    assert one.table.fields["split"].tolist() == ["test"] * 5 + ["train"] * 5
    assert labels_of(one) == [*NAMES, *NAMES]


def test_a_name_in_two_folders_is_refused_without_a_split(tmp_path: Path) -> None:
    names = ["a/0.png", "a/1.png", "b/1.png", "b/2.png", "c/3.png", "c/4.png"]
    [problem] = problems(folder(tmp_path, table_text("file,label", "{i}.png,{name}"), names))
    assert "1.png fits 2 files, such as a/1.png and b/1.png" in problem


def test_folders_that_fit_equally_well_are_ambiguous(tmp_path: Path) -> None:
    names = [f"{folder}/{i}.png" for folder in ("small", "large") for i in range(5)]
    [problem] = problems(folder(tmp_path, table_text("file,label", "{i}.png,{name}"), names))
    assert "the paths fit the images of large and small" in problem


def test_a_file_elsewhere_is_not_taken_for_a_missing_one(tmp_path: Path) -> None:
    names = ["images/0.png", "images/1.png", "images/2.png", "images/3.png", "other/4.png"]
    [problem] = problems(folder(tmp_path, table_text(), names))
    assert "labels.csv row 4 (line 6) (images/4.png): no such image" in problem


# -- face boxes ----------------------------------------------------------------------------------

BOXES = "path,face_x,face_y,face_width,face_height,label"


def test_faces_are_cut_out_by_their_boxes(tmp_path: Path) -> None:
    files = {"a.png": framed(face(1), 10, 20), "b.png": framed(face(2), 60, 40)}
    rows = [BOXES, "a.png,10,20,48,48,happy", "b.png,60.2,39.8,48,48,sad"]
    root = write_folder(tmp_path / "faces", {**files, "t.csv": "\n".join(rows).encode()})
    one = read(root)
    assert one.table is not None
    np.testing.assert_array_equal(one.table.images, [face(1), face(2)])
    whole = read(root, {"crop": False})
    assert whole.table is not None
    assert not np.array_equal(whole.table.images[0], face(1))


def test_a_box_of_another_picture_is_refused_with_the_setting_for_cut_faces(tmp_path: Path) -> None:
    rows = [BOXES, "a.png,134,134,899,899,happy", "b.png,,,,,sad"]
    files = {"a.png": image_bytes(face(1)), "b.png": image_bytes(face(2))}
    root = write_folder(tmp_path / "faces", {**files, "t.csv": "\n".join(rows).encode()})
    large, none = problems(root)
    assert "the face box 134,134,1033,1033 does not fit into 48 x 48 pixels" in large
    assert "no face box" in none
    for problem in (large, none):
        assert "data.table.crop=false" in problem
    one = read(root, {"crop": False})
    assert one.table is not None
    np.testing.assert_array_equal(one.table.images, [face(1), face(2)])


def test_two_faces_of_a_picture_are_two_images(tmp_path: Path) -> None:
    picture = np.full((100, 120), 128, dtype=np.uint8)
    picture[:48, :48], picture[50:98, 60:108] = face(1), face(2)
    rows = [BOXES, "a.png,0,0,48,48,happy", "a.png,60,50,48,48,sad"]
    files = {"a.png": image_bytes(picture), "t.csv": "\n".join(rows).encode()}
    one = read(write_folder(tmp_path / "faces", files))  # type: ignore[arg-type]
    assert one.table is not None
    assert labels_of(one) == ["happy", "sad"]
    np.testing.assert_array_equal(one.table.images, [face(1), face(2)])
