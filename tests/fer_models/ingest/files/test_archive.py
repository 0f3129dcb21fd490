"""Archives: which part is read, and which archives are rejected."""

import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fer_models.ingest.files import image_pixels
from fer_models.ingest.files.detection import SourceKind
from fer_models.ingest.files.streams import SourceFile
from fer_models.ingest.findings import Findings
from fer_models.ingest.locate import Source, locate_sources
from fer_models.ingest.source_table import SourceTable
from tests.fer_models.ingest.archives import (
    add_tar_link,
    add_zip_link,
    patched_zip,
    write_archive,
    write_zip,
)
from tests.fer_models.ingest.builders import (
    image_bytes,
    random_images,
    read_image_source,
    write_fer2013,
    write_ferplus,
    write_folder,
)

IMAGES = random_images(6)
FACES = {
    "train/sad/b.png": image_bytes(IMAGES[1]),
    "train/happy/ä ö.png": image_bytes(IMAGES[0]),
    "test/angry/x.JPG": image_bytes(IMAGES[2], "JPEG"),
}


def located(named: str | Path) -> Source:
    [(source, findings)] = locate_sources([str(named)])
    assert not findings.faults
    return source


def faults(named: str | Path) -> list[str]:
    [(source, findings)] = locate_sources([str(named)])
    assert source.kind is None
    return findings.faults


def table_bytes(tmp_path: Path, header: str = "emotion,pixels,Usage") -> bytes:
    data = write_fer2013(tmp_path / "scratch.csv", IMAGES).read_bytes()
    return data.replace(b"emotion,pixels,Usage", header.encode())


def read_images(named: str | Path) -> tuple[SourceTable, Findings]:
    source, findings = located(named), Findings("a")
    table = read_image_source(SourceKind.IMAGE_ARCHIVE, source.file, findings)
    assert table is not None
    return table, findings


# -- which part is read --------------------------------------------------------------------------


def test_the_complete_table_is_chosen_over_its_parts(tmp_path: Path) -> None:
    files = {
        "example_submission.csv": b"id,emotion\n1,2\n",
        "fer2013.tar.gz": b"\x1f\x8b...",
        "icml_face_data.csv": table_bytes(tmp_path, "emotion, Usage, pixels"),
        "test.csv": b"pixels\n1 2 3\n",
        "train.csv": b"emotion,pixels\n0,1 2 3\n",
    }
    source = located(write_zip(tmp_path / "challenges.zip", files))
    assert source.kind is SourceKind.PIXEL_TABLE
    assert source.name == "challenges.zip::icml_face_data.csv"
    assert source.stem == "icml_face_data"
    assert located(f"{tmp_path}/challenges.zip::train.csv").stem == "train"


def test_several_tables_are_listed_by_their_full_names(tmp_path: Path) -> None:
    votes = write_ferplus(tmp_path / "v.csv", ["Training"]).read_bytes()
    files = {"fer2013.csv": table_bytes(tmp_path), "fer2013new.csv": votes}
    archive = write_zip(tmp_path / "a.zip", files)
    [fault] = faults(archive)
    assert fault == (
        "the archive contains several tables; name one of them: "
        f"{archive}::fer2013.csv, {archive}::fer2013new.csv"
    )
    kinds = [located(f"{archive}::{name}").kind for name in files]
    assert kinds == [SourceKind.PIXEL_TABLE, SourceKind.FERPLUS]


def test_a_table_beside_images_is_ambiguous(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"t.csv": table_bytes(tmp_path), **FACES})
    [fault] = faults(archive)
    assert "tables and images" in fault
    assert f"{archive}::t.csv" in fault
    files = {"labels.csv": b"file,label\n", **FACES}  # not a table of faces: ignored like a README
    assert located(write_zip(tmp_path / "b.zip", files)).kind is SourceKind.IMAGE_ARCHIVE


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("trian", "there is no trian in the archive; name one of them"),
        ("train/sad/b.png", "is a single image"),
        ("notes.txt", "the file is empty"),
    ],
)
def test_the_message_for_a_wrong_member_lists_the_content(
    tmp_path: Path, wanted: str, expected: str
) -> None:
    archive = write_zip(tmp_path / "a.zip", {"notes.txt": b"", **FACES})
    assert expected in faults(f"{archive}::{wanted}")[0]


def test_a_member_requires_an_archive(tmp_path: Path) -> None:
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    assert "is not a zip or tar archive" in faults(f"{table}::a.csv")[0]
    assert "is a folder, not an archive" in faults(f"{tmp_path}::a.csv")[0]
    assert "no such file" in faults(tmp_path / "absent.zip::a.csv")[0]
    odd = table.rename(tmp_path / "odd::name.csv")  # an existing file takes precedence
    assert located(odd).stem == "odd::name"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"__MACOSX/._a.csv": b"x", ".hidden/a.csv": b"x"}, "the archive contains no files"),
        (
            {"a.txt": b"text", "b.txt": b"text"},
            "no table of faces and no images, only a.txt, b.txt",
        ),
        ({"inner.zip": b"PK\x03\x04", "b.txt": b"text"}, "only the compressed file inner.zip"),
        ({"inner.zip": b"PK\x03\x04"}, "compressed twice"),
        ({"a.csv": b"x,y\n", "b.csv": b"x,y\n"}, "several tables"),
        ({"a.csv": b""}, "a.csv in the archive: the file is empty"),
    ],
)
@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_archives_without_a_source_are_rejected(
    tmp_path: Path, suffix: str, files: dict[str, bytes], expected: str
) -> None:
    [fault] = faults(write_archive(tmp_path / f"a{suffix}", files))
    assert expected in fault


def test_empty_archives_are_rejected(tmp_path: Path) -> None:
    assert "the archive contains no files" in faults(write_archive(tmp_path / "a.zip", {}))[0]
    for suffix in (".tar", ".tar.gz"):  # zeros only
        assert "the file is empty" in faults(write_archive(tmp_path / f"a{suffix}", {}))[0]


# -- images --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tar.xz"])
@pytest.mark.parametrize("wrapper", ["", "fer2013/", "download/faces/"])
def test_an_archived_folder_is_read_like_the_folder(
    tmp_path: Path, suffix: str, wrapper: str
) -> None:
    files = {f"{wrapper}{path}": content for path, content in FACES.items()}
    litter = {"__MACOSX/train/sad/._b.png": b"x", f"{wrapper}README.md": b"read me"}
    archive = write_archive(tmp_path / f"archive{suffix}", {**files, **litter})
    table, findings = read_images(archive)
    folder = write_folder(tmp_path / "folder", FACES)
    plain = read_image_source(SourceKind.FOLDER, SourceFile(folder), Findings("folder"))
    assert plain is not None
    assert not findings.lines(with_rows=True)
    assert table.fields.equals(plain.fields)
    np.testing.assert_array_equal(table.images, plain.images)
    stem = wrapper.strip("/").rpartition("/")[2] or "archive"
    assert located(archive).stem == stem
    assert located(archive).name.startswith(f"archive{suffix}")


def test_one_split_of_an_archive_can_be_named(tmp_path: Path) -> None:
    table, _ = read_images(f"{write_zip(tmp_path / 'a.zip', FACES)}::train/")
    assert table.fields["path"].tolist() == ["happy/ä ö.png", "sad/b.png"]
    assert set(table.fields["split"]) == {""}


def test_backslashes_of_old_zip_tools_are_separators(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in FACES.items():
            info = zipfile.ZipInfo(name.replace("/", "\\"))
            info.create_system = 0
            archive.writestr(info, content)
    assert read_images(path)[0].fields["path"].tolist() == sorted(FACES)


def test_a_damaged_image_in_a_zip_is_a_bad_file(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", FACES, zipfile.ZIP_STORED)
    data = bytearray(archive.read_bytes())
    data[data.find(FACES["train/sad/b.png"]) + 1000] ^= 1
    archive.write_bytes(data)
    table, findings = read_images(archive)
    assert len(table.images) == 2
    assert findings.lines(True) == [
        "a, train/sad/b.png: damaged inside the archive; pack or download it again"
    ]


def test_unreadable_and_huge_images_in_an_archive_are_bad_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_models.ingest.layouts.image_folder.MAX_FILE_BYTES", 4000)
    monkeypatch.setattr(image_pixels, "MAX_FILE_BYTES", 4000)
    files = {**FACES, "train/sad/no.png": b"text", "train/sad/huge.bmp": bytes(5000)}
    table, findings = read_images(write_archive(tmp_path / "a.tar.gz", files))
    assert len(table.images) == 3
    [huge, unreadable] = findings.lines(True)
    assert "huge.bmp: the image is far too large to be a face (5,000 bytes)" in huge
    assert "no.png: not a readable image" in unreadable


# -- hostile archives ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../train/happy/1.png", "/train/happy/1.png", "a/../../b.csv"])
@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_paths_outside_the_archive_are_rejected(tmp_path: Path, suffix: str, name: str) -> None:
    archive = write_archive(tmp_path / f"a{suffix}", {**FACES, name: b"x"})
    [fault] = faults(archive)
    assert "points outside the archive" in fault
    assert name.strip("/").rpartition("/")[2] in fault


def test_links_and_devices_are_rejected(tmp_path: Path) -> None:
    tar = write_archive(tmp_path / "a.tar", FACES)
    for number, kind in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE)):
        add_tar_link(tar, f"train/happy/{number}.png", kind)
    [fault] = faults(tar)
    assert fault.startswith("'train/happy/0.png' and 2 more, each is a link or device, not a file")
    [fault] = faults(add_zip_link(write_zip(tmp_path / "a.zip", FACES), "train/happy/link.png"))
    assert "'train/happy/link.png' is a link or device" in fault


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [(8, 1, "is encrypted; unpack it with its password"), (10, 9, "zip method 9")],
)
def test_encryption_and_unknown_compression_are_rejected(
    tmp_path: Path, field: int, value: int, expected: str
) -> None:
    archive = write_zip(tmp_path / "a.zip", FACES)
    assert expected in faults(patched_zip(archive, field, value))[0]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_duplicate_name_is_rejected(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", FACES)
    with zipfile.ZipFile(archive, "a") as again:
        again.writestr("train/sad/b.png", b"another")
    assert faults(archive) == ["'train/sad/b.png' appears twice in the archive; repack it"]


def test_files_lost_from_a_damaged_directory_are_detected(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", FACES)
    data = bytearray(archive.read_bytes())
    first = data.find(b"PK\x01\x02")
    second = data.find(b"PK\x01\x02", first + 4)
    # The length of its comment, so that the comment swallows the second entry.
    length = data.find(b"PK\x01\x02", second + 4) - second
    data[first + 32 : first + 34] = length.to_bytes(2, "little")
    archive.write_bytes(data)
    assert "expected 3 files, found 2" in faults(archive)[0]


def test_a_damaged_header_inside_a_tar_is_not_its_end(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a.tar", FACES)
    data = bytearray(archive.read_bytes())
    data[data.find(b"test/angry")] ^= 1
    archive.write_bytes(data)
    assert "truncated or damaged" in faults(archive)[0]
