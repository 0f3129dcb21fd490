"""`data.slice_columns`: columns of the tables that a snapshot keeps with its images."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from fer_models.dataset.columns import COLUMNS_TABLE, FACE_SIZE, open_columns
from fer_models.dataset.config import SplittingConfig
from fer_models.dataset.snapshot import open_snapshot, open_tables
from fer_models.dataset.split import split_snapshot
from fer_models.errors import DataError
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import fingerprint_sources, ingest_sources
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.ingest.archives import write_zip
from tests.fer_models.ingest.builders import (
    image_bytes,
    pixel_text,
    random_images,
    write_fer2013,
    write_folder,
    write_lines,
    write_parquet,
)

NAMES = ("angry", "happy", "sad", "fear", "neutral", "surprise")
GENDERS = ["f", "m", "", "f", "m", "f"]
AGES = [21, 34, 5, 60, 41, 18]


def pixel_table(tmp_path: Path) -> Path:
    images = random_images(6)
    rows = [
        f"{number},{gender},{age},{pixel_text(image)}"
        for number, (gender, age, image) in enumerate(zip(GENDERS, AGES, images, strict=True))
    ]
    return write_lines(tmp_path / "pixels.csv", "emotion, Gender ,age,pixels", rows)


def parquet_table(tmp_path: Path) -> Path:
    columns: dict[str, Sequence[object]] = {
        "emotion": list(range(6)),
        "Gender": [gender or None for gender in GENDERS],
        "age": AGES,
        "png": _pngs(),
    }
    return write_parquet(tmp_path / "faces.parquet", columns)


def folder(tmp_path: Path, boxes: bool = False) -> Path:
    header = "path,label,Gender,age" + (",face_x,face_y,face_width,face_height" if boxes else "")
    rows = [
        f"{n}.png,{NAMES[n]},{gender},{age}" + (f",2,2,{30 + n},{40 + n}" if boxes else "")
        for n, (gender, age) in enumerate(zip(GENDERS, AGES, strict=True))
    ]
    files = {f"{n}.png": content for n, content in enumerate(_pngs())}
    return write_folder(
        tmp_path / "faces", {**files, "labels.csv": "\n".join([header, *rows]).encode()}
    )


def _pngs() -> list[bytes]:
    return [image_bytes(image) for image in random_images(6)]


def ingest(store: ArtifactStore, *sources: Path, **more: object) -> SnapshotRef:
    config = DataConfig(sources=tuple(map(str, sources)), **more)
    return ingest_sources(store, config, seed=0)


def columns_of(store: ArtifactStore, snapshot: SnapshotRef) -> pd.DataFrame:
    return open_columns(store, open_snapshot(store, snapshot))


@pytest.mark.parametrize("make", [pixel_table, parquet_table, folder])
def test_columns_are_kept_with_their_images(
    store: ArtifactStore, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    source = make(tmp_path)
    snapshot = ingest(store, source, slice_columns=("Gender", "age"))
    table = columns_of(store, snapshot)
    assert table["gender"].tolist() == GENDERS
    assert table["age"].tolist() == [str(age) for age in AGES]


def test_a_derived_snapshot_keeps_the_columns(store: ArtifactStore, tmp_path: Path) -> None:
    rows = [f"{n % 6},person {n},{pixel_text(image)}" for n, image in enumerate(random_images(60))]
    source = write_lines(tmp_path / "people.csv", "emotion,person,pixels", rows)
    snapshot = ingest(store, source, slice_columns=("person",))
    derived = split_snapshot(store, snapshot, SplittingConfig(strategy="stratified"), seed=0)
    assert derived != snapshot
    assert columns_of(store, derived)["person"].tolist() == [f"person {n}" for n in range(60)]


def test_the_size_of_faces_that_are_cut_out_is_kept(store: ArtifactStore, tmp_path: Path) -> None:
    table = columns_of(store, ingest(store, folder(tmp_path, boxes=True)))
    assert table[FACE_SIZE].tolist() == [str(30 + number) for number in range(6)]


def test_without_the_setting_nothing_is_kept(store: ArtifactStore, tmp_path: Path) -> None:
    snapshot = ingest(store, folder(tmp_path))
    assert COLUMNS_TABLE not in open_tables(store, snapshot)
    assert list(columns_of(store, snapshot)) == []


def test_the_setting_changes_the_snapshot_and_its_fingerprint(
    store: ArtifactStore, tmp_path: Path
) -> None:
    source = pixel_table(tmp_path)
    plain = DataConfig(sources=(str(source),))
    sliced = DataConfig(sources=(str(source),), slice_columns=("gender",))
    assert fingerprint_sources(plain, 0) != fingerprint_sources(sliced, 0)
    assert ingest_sources(store, plain, 0) != ingest_sources(store, sliced, 0)


def test_images_of_a_source_without_the_column_have_no_value(
    store: ArtifactStore, tmp_path: Path
) -> None:
    other = write_fer2013(tmp_path / "fer2013.csv", random_images(7, seed=1))
    snapshot = ingest(store, folder(tmp_path), other, slice_columns=("gender",))
    assert columns_of(store, snapshot)["gender"].tolist() == [*GENDERS, *[""] * 7]


@pytest.mark.parametrize("make", [pixel_table, parquet_table, folder])
def test_an_unknown_column_is_refused_with_those_there_are(
    store: ArtifactStore, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    source = make(tmp_path)
    with pytest.raises(DataError) as caught:
        ingest(store, source, slice_columns=("sex", "age"))
    assert "data.slice_columns=sex: there is no such column; name some of" in str(caught.value)
    assert "gender" in str(caught.value)


def test_a_column_that_no_source_has_is_refused(store: ArtifactStore, tmp_path: Path) -> None:
    other = write_fer2013(tmp_path / "fer2013.csv", random_images(7, seed=1))
    with pytest.raises(DataError, match="slice_columns=sex: no source has such a column"):
        ingest(store, folder(tmp_path), other, slice_columns=("sex",))
    files = {f"{NAMES[n]}/{n}.png": png for n, png in enumerate(_pngs())}
    by_class = write_folder(tmp_path / "classes", files)
    with pytest.raises(DataError, match="no source has such a column"):
        ingest(store, by_class, slice_columns=("age",))


def test_names_that_the_evaluation_uses_and_repetitions_are_refused_together() -> None:
    with pytest.raises(ValidationError) as caught:
        DataConfig(slice_columns=("Class", "age", "AGE"))
    assert "class: not a column to slice by" in str(caught.value)
    assert "age: name each column once" in str(caught.value)


def class_folders(tmp_path: Path, table: str, name: str = "people.csv") -> Path:
    files = {f"{NAMES[n]}/{n}.png": png for n, png in enumerate(_pngs())}
    return write_folder(tmp_path / "classes", {**files, name: table.encode()})


PEOPLE = "path,Gender,age\n" + "\n".join(
    f"{NAMES[n]}/{n}.png,{gender},{age}"
    for n, (gender, age) in reversed([*enumerate(zip(GENDERS, AGES, strict=True))])
)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("named", ["", "none"])
def test_class_folders_take_columns_from_a_table_without_labels(
    store: ArtifactStore, tmp_path: Path, packed: bool, named: str
) -> None:
    source = class_folders(tmp_path, PEOPLE)
    if packed:
        files = {str(p.relative_to(source)): p.read_bytes() for p in source.rglob("*.*")}
        source = write_zip(tmp_path / "classes.zip", files)
    plain = open_snapshot(store, ingest(store, source)).manifest
    table = {"path": named}
    snapshot = ingest(store, source, slice_columns=("gender", "age"), table=table)
    manifest = open_snapshot(store, snapshot).manifest
    pd.testing.assert_frame_equal(manifest, plain)
    by_path = dict(zip(manifest["path"], columns_of(store, snapshot)["gender"], strict=True))
    assert by_path == {f"{NAMES[n]}/{n}.png": gender for n, gender in enumerate(GENDERS)}


def test_an_image_without_a_row_has_no_value(store: ArtifactStore, tmp_path: Path) -> None:
    source = class_folders(tmp_path, "\n".join(PEOPLE.splitlines()[:3]))
    table = columns_of(store, ingest(store, source, slice_columns=("age",)))
    assert sorted(table["age"]) == ["", "", "", "", "18", "41"]


def test_rows_that_differ_about_an_image_are_refused(store: ArtifactStore, tmp_path: Path) -> None:
    source = class_folders(tmp_path, PEOPLE + "\nhappy/1.png,f,34")
    with pytest.raises(DataError, match=r"gives happy/1\.png another gender, 'f', than 'm'"):
        ingest(store, source, slice_columns=("age", "gender"))
    assert ingest(store, source, slice_columns=("age",))


def test_a_missing_column_is_added_as_the_message_says(
    store: ArtifactStore, tmp_path: Path
) -> None:
    source = class_folders(tmp_path, PEOPLE)
    with pytest.raises(DataError) as caught:
        ingest(store, source, slice_columns=("sex",))
    [header] = re.findall(r"add (\S+) as a csv file", str(caught.value))
    rows = [f"{NAMES[n]}/{n}.png,{gender}" for n, gender in enumerate(GENDERS)]
    (source / "more.csv").write_text("\n".join([header, *rows]))
    assert list(columns_of(store, ingest(store, source, slice_columns=("sex",)))) == ["sex"]
