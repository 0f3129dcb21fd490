"""User input becomes a file and a format, or a message with the available names."""

from pathlib import Path

import pytest

from fer_models.ingest.files.detection import SourceKind
from fer_models.ingest.locate import locate_sources
from tests.fer_models.ingest.builders import (
    parquet_columns,
    random_images,
    write_fer2013,
    write_ferplus,
    write_folder,
    write_parquet,
)

IMAGES = random_images(6)


def fault(named: str | Path) -> str:
    [(source, findings)] = locate_sources([str(named)])
    assert source.kind is None
    [only] = findings.faults
    return only


def test_formats_are_detected_by_content(tmp_path: Path) -> None:
    named = [
        "synthetic",
        str(write_fer2013(tmp_path / "pixels.txt", IMAGES)),
        str(write_ferplus(tmp_path / "votes.data", ["Training"])),
        str(write_parquet(tmp_path / "a.bin", parquet_columns(IMAGES))),
        str(write_folder(tmp_path / "faces.v2", {"happy/1.png": IMAGES[0]})),
    ]
    located = locate_sources(named)
    assert not any(findings.faults for _, findings in located)
    assert [source.kind for source, _ in located] == list(
        map(SourceKind, ["synthetic", "pixel table", "FER+ votes", "parquet", "folder"])
    )
    assert [source.stem for source, _ in located] == [
        "synthetic",
        "pixels",
        "votes",
        "a",
        "faces.v2",
    ]
    assert located[4][0].name == "faces.v2"


def test_equal_names_get_numbers(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "fer2013.csv" for folder in "abc"]
    for path in paths:
        path.parent.mkdir()
        write_fer2013(path, IMAGES)
    stems = [source.stem for source, _ in locate_sources([str(path) for path in paths])]
    assert stems == ["fer2013", "fer2013-2", "fer2013-3"]


def test_the_current_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write_folder(tmp_path / "mine", {"happy/1.png": IMAGES[0]}))
    [(source, _)] = locate_sources(["."])
    assert source.stem == source.name == "mine"


def test_the_message_for_a_missing_file_suggests_similar_names(tmp_path: Path) -> None:
    write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    suggestion = f"did you mean fer2013.csv in {tmp_path}?"
    assert suggestion in fault(tmp_path / "FER2013.CSV")
    assert suggestion in fault(tmp_path / "fer203.csv")
    assert f"{tmp_path} contains fer2013.csv; correct the path" in fault(tmp_path / "x" / "y.csv")
    assert "is a file" in fault(tmp_path / "fer2013.csv" / "train.csv")
    assert "built-in source synthetic" in fault("synthetc")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"PK\x03\x04...", "the archive is truncated or damaged"),
        (b"\x1f\x8b...", "the gzip file is truncated or damaged"),
        (b"(\xb5/\xfd...", "unsupported compression (zstd); unpack it"),
        (b"Rar!...", "unsupported compression (a rar archive); unpack it"),
        ("emotion,pixels".encode("utf-16"), "UTF-16 or UTF-32 text; save it as UTF-8"),
        (b"\x89PNG\r\n\x00\x00", "another binary file"),
    ],
)
def test_unsupported_files_are_rejected_with_a_remedy(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    assert expected in fault(path)


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("", "empty name"),
        ("https://example.org/fer2013.csv", "download it"),
        ("/dev/null", "device"),
        ("x" * 300, "can't be read"),
        ("~no-such-user/fer2013.csv", "no such file"),
        ("fer\udcff.csv", "UTF-8"),
    ],
)
def test_unsupported_names_are_rejected_with_a_remedy(named: str, expected: str) -> None:
    assert expected in fault(named)


def test_synthetic_can_be_named_only_once() -> None:
    [(_, first), (_, second)] = locate_sources(["synthetic", "synthetic"])
    assert not first.faults
    assert "named twice" in second.faults[0]
