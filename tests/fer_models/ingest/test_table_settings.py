"""Settings of `data.table` that no source uses are refused; tables of labels may be compressed."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fer_models.errors import DataError
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import fingerprint_sources, ingest_sources
from fer_models.storage.store import ArtifactStore
from tests.fer_models.ingest.archives import write_zip
from tests.fer_models.ingest.builders import (
    image_bytes,
    parquet_columns,
    random_images,
    write_fer2013,
    write_folder,
    write_parquet,
)
from tests.fer_models.ingest.test_advice import ingested, refusal

IMAGES = random_images(12)
FACES = {f"{('happy', 'sad')[n % 2]}/{n}.png": image_bytes(IMAGES[n]) for n in range(4)}
TABLE = b"path,mood\n" + b"".join(
    f"{path},{('bored', 'tired')[number % 2]}\n".encode() for number, path in enumerate(FACES)
)


@pytest.mark.parametrize(
    "setting",
    [
        {"label": "mood"},
        {"label": "none"},
        {"image": "path"},
        {"split": "fold"},
        {"separator": ";"},
        {"header": False},
    ],
)
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_columns_for_class_folders_are_refused(
    store: ArtifactStore, tmp_path: Path, setting: dict[str, Any], form: str
) -> None:
    folder = write_folder(tmp_path / "faces", FACES)
    source = folder if form == "folder" else write_zip(tmp_path / "faces.zip", FACES)
    [(name, value)] = setting.items()
    text = refusal(store, source, table=setting)
    assert f"data.table.{name}={value} has no effect: the labels come from class folders" in text
    assert f"or leave out data.table.{name}" in text
    assert ingested(store, source).classes.names == ("happy", "sad")


def test_the_table_that_the_refusal_asks_for_is_read(store: ArtifactStore, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "faces", FACES)
    text = refusal(store, folder, table={"label": "mood"})
    assert "name the table with data.table.path" in text
    table = tmp_path / "moods.csv"
    table.write_bytes(TABLE)
    snapshot = ingested(store, folder, table={"label": "mood", "path": str(table)})
    assert snapshot.classes.names == ("bored", "tired")


def test_settings_for_the_other_source_are_no_error(store: ArtifactStore, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "faces", FACES)
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    config = {"sources": [str(table), str(folder)], "table": {"split": "none"}}
    assert len(ingested(store, table, **config).images) == 16


def own_parquet(folder: Path) -> Path:
    return write_parquet(folder / "a.parquet", parquet_columns(IMAGES))


@pytest.mark.parametrize(
    ("make", "setting"),
    [
        (lambda path: write_fer2013(path / "a.csv", IMAGES), {"image": "pixels"}),
        (lambda path: write_fer2013(path / "a.csv", IMAGES), {"path": "labels.csv"}),
        (
            lambda path: write_parquet(path / "a.parquet", parquet_columns(IMAGES)),
            {"path": "l.csv"},
        ),
        (
            lambda path: write_parquet(path / "a.parquet", parquet_columns(IMAGES)),
            {"separator": ";"},
        ),
    ],
)
def test_settings_that_do_not_fit_a_table_are_refused(
    store: ArtifactStore, tmp_path: Path, make: Callable[[Path], Path], setting: dict[str, str]
) -> None:
    [name] = setting
    source = make(tmp_path)
    assert f"or leave out data.table.{name}" in refusal(store, source, table=setting)
    assert len(ingested(store, source).images) == 12


COMPRESSED: list[tuple[str, Callable[[bytes], bytes]]] = [
    (".gz", gzip.compress),
    (".bz2", bz2.compress),
    (".xz", lzma.compress),
]
FLAT = {f"images/{n}.png": image_bytes(IMAGES[n]) for n in range(4)}
LABELS = b"path,label\n" + b"".join(
    f"{path},{('bored', 'happy')[number % 2]}\n".encode() for number, path in enumerate(FLAT)
)


@pytest.mark.parametrize(("suffix", "compress"), COMPRESSED)
@pytest.mark.parametrize("form", ["folder", "zip", "list", "named", "outside"])
def test_a_compressed_table_of_labels_is_read_like_the_plain_one(
    store: ArtifactStore,
    tmp_path: Path,
    form: str,
    suffix: str,
    compress: Callable[[bytes], bytes],
) -> None:
    def snapshot_of(name: str, content: bytes) -> Any:
        files = FLAT if form == "outside" else {**FLAT, name: content}
        root = tmp_path / name / "faces"
        folder = write_folder(root, files)
        (tmp_path / name / name).write_bytes(content)
        source = {
            "zip": lambda: write_zip(root.with_suffix(".zip"), files),
            "list": lambda: folder / name,
        }.get(form, lambda: folder)()
        path = {"named": name, "outside": str(tmp_path / name / name)}.get(form, "")
        fingerprint_sources(DataConfig(sources=(str(source),), table={"path": path}), 0)
        return ingested(store, source, table={"path": path})

    plain = snapshot_of("train_labels.csv", LABELS)
    packed = snapshot_of(f"train_labels.csv{suffix}", compress(LABELS))
    assert packed.manifest.drop(columns="source").equals(plain.manifest.drop(columns="source"))
    assert packed.classes.names == ("happy", "bored")
    assert set(packed.manifest["split"]) == {"train"}


@pytest.mark.parametrize("form", ["folder", "list"])
def test_a_damaged_compressed_table_is_a_fault(
    store: ArtifactStore, tmp_path: Path, form: str
) -> None:
    cut = gzip.compress(LABELS * 50)[:-20]
    folder = write_folder(tmp_path / "faces", {**FLAT, "labels.csv.gz": cut})
    source = folder if form == "folder" else folder / "labels.csv.gz"
    assert "labels.csv.gz: the gzip file is truncated or damaged" in refusal(store, source)
    if form == "folder":
        fingerprint_sources(DataConfig(sources=(str(source),)), 0)


def test_a_table_of_labels_without_rows_is_refused(store: ArtifactStore, tmp_path: Path) -> None:
    faces = write_folder(tmp_path / "faces", {"a.png": random_images(1)[0]})
    (faces / "labels.csv").write_text("file,label\n")
    config = DataConfig(sources=(str(faces),), table={"path": "labels.csv"})
    with pytest.raises(DataError) as caught:
        ingest_sources(store, config, 0)
    assert "expected at least one image, got none" in str(caught.value)
