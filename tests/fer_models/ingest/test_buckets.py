"""Sources in a bucket become the same snapshots as the same files on this machine."""

import re
from pathlib import Path

import pytest

from fer_models.errors import DataError
from fer_models.ingest.config import DataConfig, TableConfig
from fer_models.ingest.files.detection import SourceKind
from fer_models.ingest.ingest import fingerprint_sources, ingest_sources
from fer_models.ingest.locate import locate_sources
from fer_models.storage.store import ArtifactStore
from tests.fer_models.ingest.archives import write_zip
from tests.fer_models.ingest.builders import (
    image_bytes,
    random_images,
    write_fer2013,
    write_folder,
)
from tests.fer_models.storage.buckets import put_objects

IMAGES = random_images(6)
FACES = {
    "train/happy/1.png": image_bytes(IMAGES[0]),
    "train/sad/1.png": image_bytes(IMAGES[1]),
    "test/happy/1.png": image_bytes(IMAGES[2]),
    ".DS_Store": b"litter",
}


def _config(*sources: object) -> DataConfig:
    return DataConfig(sources=tuple(str(source) for source in sources))


def _faults(named: str, *, download: bool) -> list[str]:
    [(source, findings)] = locate_sources([named], download=download)
    assert source.kind is None
    return findings.lines(with_rows=False)


def _no_download(*args: object) -> None:
    raise AssertionError("something was downloaded")


@pytest.mark.s3
def test_the_snapshot_is_that_of_the_same_local_files(
    s3_store_url: str, store: ArtifactStore, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "faces", FACES)
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    archive = write_zip(tmp_path / "faces.zip", FACES)
    put_objects(f"{s3_store_url}/faces", FACES)
    put_objects(s3_store_url, {path.name: path.read_bytes() for path in (table, archive)})
    local = _config(folder, table, f"{archive}::train")
    remote = _config(
        f"{s3_store_url}/faces/", f"{s3_store_url}/fer2013.csv", f"{s3_store_url}/faces.zip::train"
    )
    assert fingerprint_sources(remote, 0) == fingerprint_sources(local, 0)
    assert ingest_sources(store, remote, 0).id == ingest_sources(store, local, 0).id
    kinds = [source.kind for source, _ in locate_sources(remote.sources)]
    assert kinds == [SourceKind.FOLDER, SourceKind.PIXEL_TABLE, SourceKind.IMAGE_ARCHIVE]


@pytest.mark.s3
def test_the_check_before_a_run_downloads_nothing(
    s3_store_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("fer_models.storage.s3.mirror._download", _no_download)
    put_objects(f"{s3_store_url}/faces", FACES)
    [(_, findings)] = locate_sources([f"{s3_store_url}/faces"], download=False)
    assert findings.faults == []
    [line] = _faults(f"{s3_store_url}/absent", download=False)
    assert "no object or folder of that name" in line
    assert "contains faces/; correct the URL, or upload the data" in line
    [line] = _faults(f"{s3_store_url}/faces::train", download=False)
    assert "is a folder, not an archive" in line
    assert not (tmp_path / "cache").exists()


@pytest.mark.s3
def test_a_table_of_labels_alone_is_refused_and_read_with_its_folder(
    s3_store_url: str, store: ArtifactStore
) -> None:
    labels = b"path,label\n" + b"".join(
        f"{n}.png,{('happy', 'sad')[n % 2]}\n".encode() for n in range(4)
    )
    images = {f"{n}.png": image_bytes(IMAGES[n]) for n in range(4)}
    put_objects(f"{s3_store_url}/faces", {**images, "labels.csv": labels})
    [fault] = _faults(f"{s3_store_url}/faces/labels.csv", download=True)
    advice = re.search(r"folder of both, (\S+), and the table with data\.table\.path=(\S+)", fault)
    assert advice
    config = DataConfig(sources=(advice[1],), table=TableConfig(path=advice[2]))
    assert store.info(ingest_sources(store, config, 0))["num_images"] == 4


@pytest.mark.s3
def test_messages_name_the_url_and_not_the_copy(s3_store_url: str, tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "two.zip", {"a.csv": b"emotion,pixels\n", "b.csv": b"pixels\n"})
    put_objects(s3_store_url, {"two.zip": archive.read_bytes(), "faces/../x": b"1"})
    [line] = _faults(f"{s3_store_url}/two.zip", download=True)
    assert f"name one of them: {s3_store_url}/two.zip::a.csv" in line
    assert "cache" not in line
    [line] = _faults(f"{s3_store_url}/faces", download=True)
    assert line.startswith(f"{s3_store_url}/faces: '../x' would leave the folder")
    with pytest.raises(DataError, match="would leave the folder"):
        fingerprint_sources(_config(f"{s3_store_url}/faces"), 0)


@pytest.mark.parametrize("download", [True, False])
@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("https://example.org/fer2013.csv", "download it, then name the file"),
        ("gs://bucket/faces", "download it, then name the file"),
        ("file:///data/faces", "name the path itself, /data/faces"),
        ("s3://", "no bucket given; expected s3://bucket/prefix"),
    ],
)
def test_other_urls_are_refused_with_a_remedy(named: str, expected: str, download: bool) -> None:
    [line] = _faults(named, download=download)
    assert line.startswith(f"{named}: ")
    assert expected in line


@pytest.mark.parametrize(
    "named",
    [
        "s3://AKIAKEY:hunter2@bucket/faces",
        "s3://AKIAKEY:hun/ter2@bucket/faces",
        "s3://AKIAKEY:hunter2",
        "https://somebody:hunter2@example.org/faces.zip",
    ],
)
def test_credentials_in_a_url_are_refused_and_not_shown(named: str) -> None:
    [line] = _faults(named, download=False)
    assert "***" in line
    assert not any(secret in line for secret in ("AKIAKEY", "somebody", "hun", "ter2"))
    if named.startswith("s3://"):
        assert "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in line


def test_the_home_folder_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "faces", FACES)
    monkeypatch.setenv("HOME", str(tmp_path))
    [(source, findings)] = locate_sources(["~/faces"])
    assert (source.kind, source.name, findings.faults) == (SourceKind.FOLDER, "faces", [])
