"""Settings of `data.table` that messages name: following them reads the images."""

import re
from pathlib import Path

from tests.fer_models.ingest.builders import image_bytes, write_folder
from tests.fer_models.ingest.layouts.published import face, framed
from tests.fer_models.ingest.layouts.table_sources import NAMES, folder, labels_of, problems, read


def test_boxes_of_faces_that_are_cut_out_already_are_ignored_as_proposed(tmp_path: Path) -> None:
    rows = [f"images/{i}.png,{name},200,200,48,48" for i, name in enumerate(NAMES)]
    columns = "path,label,face_x,face_y,face_width,face_height"
    path = folder(tmp_path, "\n".join([columns, *rows]))
    for problem in problems(path):
        assert "does not fit" in problem
        assert "data.table.crop=false" in problem
    assert labels_of(read(path, {"crop": False})) == list(NAMES)


def test_a_box_that_is_missing_is_replaced_by_the_whole_image(tmp_path: Path) -> None:
    rows = [f"{i}.png,{name},{'NULL' if i == 3 else 5},5,48,48" for i, name in enumerate(NAMES)]
    table = "\n".join(["path,label,face_x,face_y,face_width,face_height", *rows])
    pictures = {f"{i}.png": framed(face(i), 5, 5) for i in range(len(NAMES))}
    path = write_folder(tmp_path / "faces", {**pictures, "labels.csv": table.encode()})
    [problem] = problems(path)
    assert "set data.table.crop=false to use the whole image" in problem
    assert labels_of(read(path, {"crop": False})) == list(NAMES)


def test_the_column_of_the_paths_is_one_of_those_that_are_listed(tmp_path: Path) -> None:
    rows = [f"{i},{name}" for i, name in enumerate(NAMES)]
    path = folder(tmp_path, "\n".join(["number,label", *rows]))
    [problem] = problems(path, {"path": "labels.csv"})
    offered = re.search(r"Name it with data\.table\.image: ([\w, ]+)", problem)
    assert offered
    first, *_ = offered[1].split(", ")
    assert labels_of(read(path, {"path": "labels.csv", "image": first})) == list(NAMES)


def test_images_beside_each_other_are_read_with_their_table(tmp_path: Path) -> None:
    pictures = {f"{i}.png": image_bytes(face(i)) for i in range(len(NAMES))}
    path = write_folder(tmp_path / "faces", pictures)  # type: ignore[arg-type]
    table = tmp_path / "mine.csv"
    table.write_text("\n".join(["path,label", *(f"{i}.png,{n}" for i, n in enumerate(NAMES))]))
    [problem] = problems(path)
    assert "name their table of labels with data.table.path" in problem
    assert labels_of(read(path, {"path": str(table)})) == list(NAMES)


def test_a_table_and_folders_that_differ_are_decided_as_proposed(tmp_path: Path) -> None:
    names = [f"{name}/{i}.png" for i, name in enumerate(NAMES)]
    rows = [f"{name},{NAMES[i - 1]}" for i, name in enumerate(names)]
    path = folder(tmp_path, "\n".join(["path,label", *rows]), names)
    [problem] = problems(path)
    assert "choose with data.table.path: the table, or none for the folders" in problem
    by_table = labels_of(read(path, {"path": "labels.csv"}))
    by_folder = labels_of(read(path, {"path": "none"}))
    assert sorted(by_table) == sorted(by_folder)
    assert by_table != by_folder


def test_folders_of_people_are_read_by_a_table_or_as_classes_as_proposed(tmp_path: Path) -> None:
    names = [f"person{i % 2}/{name}_{i}.png" for i, name in enumerate(NAMES)]
    path = write_folder(tmp_path / "faces", {name: image_bytes(face(0)) for name in names})
    [problem] = problems(path)
    assert "list the images in a csv file (path,label) and name it with data.table.path" in problem
    assert "if they are the classes, set data.table.path=none" in problem
    table = tmp_path / "mine.csv"
    rows = (f"{path},{name}" for path, name in zip(names, NAMES, strict=True))
    table.write_text("\n".join(["path,label", *rows]))
    assert sorted(labels_of(read(path, {"path": str(table)}))) == sorted(NAMES)
    assert set(labels_of(read(path, {"path": "none"}))) == {"person0", "person1"}


def test_a_first_line_that_is_an_image_is_read_as_proposed(tmp_path: Path) -> None:
    names = [f"images/{i}.png" for i in range(1, len(NAMES))]  # the first one is missing
    path = folder(tmp_path, "\n".join(f"images/{i},{n}" for i, n in enumerate(NAMES)), names)
    [problem] = problems(path, {"path": "labels.csv"})
    assert "if the first line is an image's, set data.table.header=false" in problem
    [problem] = problems(path, {"path": "labels.csv", "header": False, "image": 1})
    assert "row 0 (line 1) (images/0): no such image" in problem


def test_a_split_by_name_or_by_folders_is_chosen_as_proposed(tmp_path: Path) -> None:
    names = [f"{('train', 'test')[i % 2]}/{i}.png" for i in range(len(NAMES))]
    rows = [f"{path},{NAMES[i]}" for i, path in enumerate(names)]
    path = folder(tmp_path, "\n".join(["path,label", *rows]), names, name="train_labels.csv")
    [problem] = problems(path)
    assert "but 2 of its 5 images are in folders of another split (test/1.png)" in problem
    assert "data.table.split: folders if the folders are right, table if all of them are" in problem
    for setting, expected in (("folders", ["test"] * 2 + ["train"] * 3), ("table", ["train"] * 5)):
        one = read(path, {"split": setting})
        assert one.table is not None
        assert one.table.fields["split"].tolist() == expected
