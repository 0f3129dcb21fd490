"""`ferflow submit`: from an unlabelled source to the checked file of a challenge."""

import csv
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from deployments.cli import main
from deployments.cli.prediction import submit
from fer_models.classes.schemes import SCHEMES
from fer_models.inference.submission import submission
from fer_models.labels import CLASS_NAMES
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from fer_models.training.predict import predict_model
from tests.fer_models.inference.builders import stored_network
from tests.fer_models.ingest.builders import (
    fer2013_lines,
    image_bytes,
    pixel_text,
    random_images,
    write_folder,
    write_lines,
)

IMAGES = random_images(12)
TEXTS = [pixel_text(image) for image in IMAGES]


@dataclass(frozen=True)
class Place:
    """A store with a champion, and the probabilities 12 x 7 that it predicts for IMAGES."""

    store: ArtifactStore
    model: ModelRef
    probabilities: np.ndarray


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("submit") / "store")))
    # Large weights make an untrained network predict several classes.
    model = stored_network(store, 1, scale=3.0)
    Registry(store).set(CHAMPION, model.id, "the test says so")
    return Place(store, model, predict_model(store, model, IMAGES))


def ferflow(place: Place, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["submit", *arguments, "--store", place.store.url, "--json"])


def answer(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def records(file: Path) -> list[list[str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_the_challenge_file_is_a_class_number_a_line(place: Place, tmp_path: Path) -> None:
    test = write_lines(tmp_path / "test.csv", "pixels", TEXTS)
    out = tmp_path / "submission.csv"
    done = ferflow(place, "--data", str(test), "--out", str(out))
    assert done.exit_code == 0, done.output
    expected = place.probabilities.argmax(1)
    assert len(set(expected)) > 1
    assert out.read_bytes() == "".join(f"{number}\n" for number in expected).encode()
    said = answer(done)
    assert said["model"] == place.model.id
    assert (said["rows"], said["labels_ignored"]) == (12, False)
    assert said["counts"] == {
        name: int((expected == number).sum()) for number, name in enumerate(CLASS_NAMES)
    }
    assert "labels of the data" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["submission.csv", "test.csv"]


def test_labels_of_the_source_are_ignored_and_said_to_be(place: Place, tmp_path: Path) -> None:
    lines = [line.replace("Training", "anything") for line in fer2013_lines(IMAGES)]
    test = write_lines(tmp_path / "icml_face_data.csv", "emotion, pixels, Usage", lines)
    done = ferflow(place, "--data", str(test), "--out", str(tmp_path / "out.csv"))
    assert answer(done)["labels_ignored"] is True
    assert done.stderr.count("the labels of the data were ignored; `ferflow task evaluate`") == 1
    written = [int(number) for [number] in records(tmp_path / "out.csv")]
    assert written == place.probabilities.argmax(1).tolist()


def test_ids_come_from_the_named_column(place: Place, tmp_path: Path) -> None:
    lines = [f"f{row:02}.x,{text},note" for row, text in enumerate(TEXTS)]
    test = write_lines(tmp_path / "test.csv", "Image_Name,pixels,remark", lines)
    out = tmp_path / "out.csv"
    arguments = ("--data", str(test), "--out", str(out), "--id-column", "Image_Name")
    assert ferflow(place, *arguments, "--format", "labels").exit_code == 0
    labels = [CLASS_NAMES[number] for number in place.probabilities.argmax(1)]
    wanted = [[f"f{row:02}.x", label] for row, label in enumerate(labels)]
    assert records(out) == [["Image_Name", "label"], *wanted]

    assert ferflow(place, *arguments, "--format", "probabilities").exit_code == 0
    header, *body = records(out)
    assert header == ["Image_Name", *CLASS_NAMES]
    assert [row[0] for row in body] == [row[0] for row in wanted]
    values = np.array([row[1:] for row in body], dtype=float)
    np.testing.assert_allclose(values, place.probabilities, atol=1e-6)


def test_row_numbers_and_paths_are_the_default_ids(place: Place, tmp_path: Path) -> None:
    frame = pd.DataFrame({"png": [image_bytes(image) for image in IMAGES]})
    frame.to_parquet(tmp_path / "test.parquet")
    names = [f"some/{row:02}.png" for row in range(12)]
    folder = write_folder(tmp_path / "faces", dict(zip(names, IMAGES, strict=True)))
    (folder / "LICENCE.txt").write_text("free")
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for name, image in [*zip(names, IMAGES, strict=True)][::-1]:
            archive.writestr(name, image_bytes(image))
    labels = [CLASS_NAMES[number] for number in place.probabilities.argmax(1)]
    sources = {
        "test.parquet": ("row", [*map(str, range(12))]),
        "faces": ("picture", names),
        "faces.zip": ("picture", [name.removeprefix("some/") for name in names]),
    }
    for source, (id_name, ids) in sources.items():
        out = tmp_path / "out.csv"
        arguments = ("--data", str(tmp_path / source), "--out", str(out), "--format", "labels")
        done = ferflow(place, *arguments)
        assert done.exit_code == 0, done.output
        expected = [[one, label] for one, label in zip(ids, labels, strict=True)]
        assert records(out) == [[id_name, "label"], *expected], source


def test_a_table_of_images_keeps_its_order(place: Place, tmp_path: Path) -> None:
    order = [5, 0, 11, 3]
    write_folder(tmp_path, {f"{row}.png": image for row, image in enumerate(IMAGES)})
    lines = [f"{row}.png,happy,{100 + row}" for row in order]
    table = write_lines(tmp_path / "sample.csv", "file,label,key", lines)
    out = tmp_path / "out.csv"
    arguments = ("--data", str(table), "--out", str(out), "--format", "labels")
    done = ferflow(place, *arguments, "--id-column", "key")
    assert done.exit_code == 0, done.output
    labels = [CLASS_NAMES[number] for number in place.probabilities.argmax(1)]
    assert records(out)[1:] == [[str(100 + row), labels[row]] for row in order]
    assert answer(done)["labels_ignored"] is True


def test_class_folders_count_as_labels(place: Place, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "f", {"happy/1.png": IMAGES[0], "sad/2.png": IMAGES[1]})
    done = ferflow(place, "--data", str(folder), "--out", str(tmp_path / "out.csv"))
    assert answer(done)["labels_ignored"] is True


def test_numbers_follow_the_chosen_data_set(place: Place, tmp_path: Path) -> None:
    test = write_lines(tmp_path / "test.csv", "pixels", TEXTS)
    out = tmp_path / "out.csv"
    done = ferflow(place, "--data", str(test), "--out", str(out), "--label-scheme", "rafdb")
    names = SCHEMES["rafdb"].names
    written = [names[int(number)] for [number] in records(out)]
    assert written == [CLASS_NAMES[number] for number in place.probabilities.argmax(1)]
    assert answer(done)["numbers"]["surprise"] == 1


@pytest.mark.parametrize(
    ("bad", "parts"),
    [
        ({3: TEXTS[3][:-4], 7: "1 2 x"}, ["2 of 12 rows", "row 3 (line 5)", "row 7 (line 9)"]),
        ({11: "1,2"}, ["1 of 12 rows", "row 11 (line 13)"]),
    ],
)
def test_unreadable_rows_are_named_and_the_old_file_stays(
    place: Place, tmp_path: Path, bad: dict[int, str], parts: list[str]
) -> None:
    lines = [bad.get(row, text) for row, text in enumerate(TEXTS)]
    test = write_lines(tmp_path / "test.csv", "pixels", lines)
    out = tmp_path / "out.csv"
    out.write_text("old")
    done = ferflow(place, "--data", str(test), "--out", str(out))
    assert done.exit_code == 2, done.output
    for part in parts:
        assert part in done.stderr
    assert out.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2


def test_unreadable_pictures_are_named(place: Place, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "f", {"1.png": IMAGES[0], "2.png": b"none", "3.png": b""})
    done = ferflow(place, "--data", str(folder), "--out", str(tmp_path / "out.csv"))
    assert done.exit_code == 2
    assert "2 of 3 rows" in done.stderr
    assert "2.png" in done.stderr
    assert "3.png" in done.stderr
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (
            ("--data", "absent.csv", "--out", "{test}/x", "--model", "no.json", "--id-column", "i"),
            ["absent.csv", "no.json", "is a file, not a folder", "the format kaggle has no ids"],
        ),
        (("--format", "labels", "--label-scheme", "rafdb"), ["names instead of numbers"]),
        (("--out", "{test}"), ["this is the file of --data"]),
        (("--format", "labels", "--id-column", "nothing"), ["no such column", "key, pixels"]),
        (("--format", "labels", "--id-column", "key"), ["row 1: the id 'k' is also that of row 0"]),
        (("--data", "synthetic"), ["got synthetic"]),
        (("--model", "other"), ["no id starts with 'other'"]),
    ],
)
def test_bad_input_is_one_message(
    place: Place, tmp_path: Path, arguments: tuple[str, ...], parts: list[str]
) -> None:
    test = write_lines(tmp_path / "test.csv", "key,pixels", [f"k,{text}" for text in TEXTS[:2]])
    given = [text.format(test=test) for text in arguments]
    for name, value in {"--data": str(test), "--out": str(tmp_path / "out.csv")}.items():
        given += [] if name in given else [name, value]
    content = test.read_bytes()
    done = ferflow(place, *given)
    assert done.exit_code == 2, done.output
    for part in parts:
        assert part in done.stderr
    assert done.stderr.count("error: ") == 1
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["test.csv"]
    assert test.read_bytes() == content


def test_the_choices_are_those_of_the_library() -> None:
    assert submit._FORMATS == submission.FORMATS
