"""Compressed tables give the same images, labels and ids as plain ones; damage is reported."""

import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.errors import DataError
from fer_models.ingest.config import DataConfig
from fer_models.ingest.files import compression
from fer_models.ingest.ingest import fingerprint_sources, ingest_sources
from fer_models.progress import Progress, listening
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.ingest.archives import COMPRESSORS, compressed, write_archive
from tests.fer_models.ingest.builders import (
    parquet_columns,
    pixel_text,
    random_images,
    usages,
    write_fer2013,
    write_ferplus,
    write_lines,
    write_parquet,
)

IMAGES = random_images(12)
# Only a plain tar has no checksum of its contents.
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def config_of(*sources: Path | str) -> DataConfig:
    return DataConfig(sources=tuple(str(source) for source in sources))


def ingested(store: ArtifactStore, *sources: Path | str) -> DatasetSnapshot:
    return open_snapshot(store, ingest_sources(store, config_of(*sources), seed=0))


def fault(store: ArtifactStore, *sources: Path | str) -> str:
    with pytest.raises(DataError) as caught:
        ingest_sources(store, config_of(*sources), seed=0)
    assert not store.list_ids(SnapshotRef)
    [problem] = caught.value.problems
    return problem


def assert_equal_except_source(one: DatasetSnapshot, other: DatasetSnapshot) -> None:
    columns = [column for column in one.manifest.columns if column != "source"]
    assert one.manifest[columns].equals(other.manifest[columns])
    np.testing.assert_array_equal(one.images, other.images)


@pytest.mark.parametrize("suffix", [*COMPRESSORS])
def test_a_compressed_table_and_its_votes_are_read_like_plain_ones(
    store: ArtifactStore, tmp_path: Path, suffix: str
) -> None:
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    votes = write_ferplus(tmp_path / "fer2013new.csv", usages(12))
    snapshot = ingested(store, compressed(table, suffix), compressed(votes, suffix))
    assert_equal_except_source(snapshot, ingested(store, table, votes))
    assert snapshot.info["sources"] == [f"fer2013.csv{suffix}", f"fer2013new.csv{suffix}"]


@pytest.mark.parametrize("suffix", ARCHIVES)
def test_a_table_in_an_archive_is_read_like_a_plain_one(
    store: ArtifactStore, tmp_path: Path, suffix: str
) -> None:
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    files = {
        "fer2013/README": b"read me",
        "fer2013/fer2013.csv": table.read_bytes(),
        "fer2013/fer2013.bib": b"@article",
        "__MACOSX/fer2013/._fer2013.csv": b"\0\5\x16\7",
    }
    snapshot = ingested(store, write_archive(tmp_path / f"download{suffix}", files))
    assert_equal_except_source(snapshot, ingested(store, table))
    assert snapshot.info["sources"] == [f"download{suffix}::fer2013/fer2013.csv"]


@pytest.mark.parametrize("suffix", [".gz", ".zip"])
def test_a_compressed_parquet_file_is_read(
    store: ArtifactStore, tmp_path: Path, suffix: str
) -> None:
    table = write_parquet(tmp_path / "a.parquet", parquet_columns(IMAGES, with_votes=True))
    source = (
        write_archive(tmp_path / "b.zip", {"a.parquet": table.read_bytes()})
        if suffix == ".zip"
        else compressed(table, suffix)
    )
    assert_equal_except_source(ingested(store, source), ingested(store, table))


def test_compression_is_detected_by_content_not_by_suffix(
    store: ArtifactStore, tmp_path: Path
) -> None:
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    plain = ingested(store, table)
    assert_equal_except_source(plain, ingested(store, table.rename(tmp_path / "fer2013.gz")))
    misnamed = tmp_path / "fer2013.csv"
    misnamed.write_bytes(gzip.compress((tmp_path / "fer2013.gz").read_bytes()))
    assert_equal_except_source(plain, ingested(store, misnamed))


def test_concatenated_streams_with_zero_padding_are_one_file(
    store: ArtifactStore, tmp_path: Path
) -> None:
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    text = table.read_bytes()
    for suffix, compress in COMPRESSORS.items():
        halves = compress(text[:50_000]) + compress(b"") + compress(text[50_000:])
        source = tmp_path / f"fer2013.csv{suffix}"
        source.write_bytes(halves + bytes(512))
        assert_equal_except_source(ingested(store, source), ingested(store, table))


def test_the_fingerprint_depends_on_the_compressed_bytes_and_the_member(tmp_path: Path) -> None:
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    small = write_fer2013(tmp_path / "small.csv", IMAGES[:6])
    files = {"a.csv": table.read_bytes(), "b.csv": small.read_bytes()}
    archive = write_archive(tmp_path / "both.zip", files)
    named = [table, compressed(table, ".gz"), f"{archive}::a.csv", f"{archive}::b.csv"]
    prints = [fingerprint_sources(config_of(source), 0) for source in named]
    assert len(set(prints)) == len(prints)
    assert prints[2] == fingerprint_sources(config_of(f"{archive}::a.csv"), 1)


def test_progress_of_a_compressed_table_ends_at_its_size(
    store: ArtifactStore, tmp_path: Path
) -> None:
    source = compressed(write_fer2013(tmp_path / "fer2013.csv", IMAGES), ".gz")
    events: list[Progress] = []
    with listening(events.append):
        ingested(store, source)
    reading = [one for one in events if one.note == source.name]
    assert reading[-1].done == reading[-1].total == source.stat().st_size / 1e6


# -- damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [*COMPRESSORS])
@pytest.mark.parametrize("keep", [8, 5000, -1, -9])
def test_a_truncated_compressed_file_is_rejected(
    store: ArtifactStore, tmp_path: Path, suffix: str, keep: int
) -> None:
    source = compressed(write_fer2013(tmp_path / "fer2013.csv", IMAGES), suffix)
    source.write_bytes(source.read_bytes()[:keep])
    assert "is truncated or damaged" in fault(store, source)


@pytest.mark.parametrize("suffix", [*COMPRESSORS, *(one for one in ARCHIVES if one != ".tar")])
def test_flipped_bits_are_detected_by_the_checksum(
    store: ArtifactStore, tmp_path: Path, suffix: str
) -> None:
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    if suffix in COMPRESSORS:
        source = compressed(table, suffix)
    else:
        source = write_archive(tmp_path / f"a{suffix}", {table.name: table.read_bytes()})
    data = bytearray(source.read_bytes())
    data[len(data) // 2] ^= 0x10
    source.write_bytes(data)
    assert "truncated or damaged" in fault(store, source)


@pytest.mark.parametrize("suffix", ARCHIVES)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_a_truncated_archive_is_rejected(
    store: ArtifactStore, tmp_path: Path, suffix: str, share: float
) -> None:
    table = write_fer2013(tmp_path / "fer2013.csv", IMAGES)
    source = write_archive(tmp_path / f"a{suffix}", {"a.csv": table.read_bytes(), "b": b"x"})
    data = source.read_bytes()
    if suffix == ".tar":  # ignore the padding at its end
        data = data.rstrip(b"\0")
    source.write_bytes(data[: int(len(data) * share)])
    problem = fault(store, source)
    assert "truncated or damaged" in problem or "binary file" in problem


def test_text_after_the_compressed_data_is_rejected(store: ArtifactStore, tmp_path: Path) -> None:
    source = compressed(write_fer2013(tmp_path / "fer2013.csv", IMAGES), ".gz")
    source.write_bytes(source.read_bytes() + b"<html>error 500</html>")
    assert "the gzip file is truncated or damaged" in fault(store, source)


@pytest.mark.parametrize("suffix", [".gz", ".tar.gz", ".zip"])
def test_a_zip_bomb_is_rejected(
    store: ArtifactStore, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "_ALWAYS_ALLOWED_BYTES", 1 << 20)
    text = b"emotion,pixels,Usage\n" + b"0 " * (8 << 20)
    source = tmp_path / f"fer2013.csv{suffix}"
    if suffix == ".gz":
        source.write_bytes(gzip.compress(text))
    else:
        write_archive(source, {"fer2013.csv": text})
    assert "a zip bomb" in fault(store, source)


@pytest.mark.parametrize("compressed_bytes", [1, 20 << 20])
def test_the_limit_of_decompression_is_exact(compressed_bytes: int) -> None:
    limit = max(1 << 30, 100 * compressed_bytes)
    compression.check_size(limit, compressed_bytes)
    with pytest.raises(compression.CompressionError, match="zip bomb"):
        compression.check_size(limit + 1, compressed_bytes)


def test_a_file_that_needs_too_much_memory_is_rejected(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "_XZ_MEMORY_BYTES", 1 << 20)
    source = tmp_path / "fer2013.csv.xz"
    source.write_bytes(lzma.compress(b"pixels\n" * 9, preset=6))
    assert "Memory usage limit" in fault(store, source)


def test_double_compression_is_rejected(store: ArtifactStore, tmp_path: Path) -> None:
    once = compressed(write_fer2013(tmp_path / "fer2013.csv", IMAGES), ".gz")
    assert "compressed twice" in fault(store, compressed(once, ".xz"))
    archive = write_archive(tmp_path / "a.zip", {"fer2013.csv.gz": once.read_bytes()})
    assert "compressed twice" in fault(store, f"{archive}::fer2013.csv.gz")


def test_a_bad_row_in_a_compressed_table_is_named(store: ArtifactStore, tmp_path: Path) -> None:
    table = write_lines(
        tmp_path / "a.csv", "emotion,pixels", [f"3,{pixel_text(IMAGES[0])}", "3,1 2"]
    )
    source = compressed(table, ".gz")
    assert fault(store, source).startswith(f"{source}, row 1 (line 3): expected 2304 pixel values")
