"""Fuzzed files end in a message, a quarantined row or the right images; never in a crash."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_models.dataset.snapshot import Images
from fer_models.errors import DataError
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import fingerprint_sources
from fer_models.ingest.read import read_sources
from tests.fer_models.ingest.archives import compressed, write_archive
from tests.fer_models.ingest.builders import (
    image_bytes,
    parquet_columns,
    random_images,
    usages,
    write_fer2013,
    write_ferplus,
    write_parquet,
)

IMAGES = random_images(4)
TRIALS = 25
KINDS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")


def table(folder: Path) -> Path:
    return write_fer2013(folder / "fer2013.csv", IMAGES)


def compressed_table(folder: Path, suffix: str) -> Path:
    if suffix in (".gz", ".bz2", ".xz"):
        return compressed(table(folder), suffix)
    files = {"fer2013/README": b"read me", "fer2013/fer2013.csv": table(folder).read_bytes()}
    return write_archive(folder / f"a{suffix}", files)


def faces(folder: Path, suffix: str) -> Path:
    files = {f"train/happy/{kind}": image_bytes(IMAGES[0], kind) for kind in KINDS}
    return write_archive(folder / f"faces{suffix}", files)


SOURCES: dict[str, Callable[[Path], Path]] = {
    "csv": table,
    "parquet": lambda folder: write_parquet(folder / "a.parquet", parquet_columns(IMAGES, True)),
    "votes": lambda folder: write_ferplus(folder / "fer2013new.csv", usages(len(IMAGES))),
    "csv.gz": lambda folder: compressed_table(folder, ".gz"),
    "csv.bz2": lambda folder: compressed_table(folder, ".bz2"),
    "csv.xz": lambda folder: compressed_table(folder, ".xz"),
    "zip": lambda folder: compressed_table(folder, ".zip"),
    "tar": lambda folder: compressed_table(folder, ".tar"),
    "tar.gz": lambda folder: compressed_table(folder, ".tar.gz"),
    "faces.zip": lambda folder: faces(folder, ".zip"),
    "faces.tar": lambda folder: faces(folder, ".tar"),
}
WITH_CHECKSUM = ("csv.gz", "csv.bz2", "csv.xz", "zip", "tar.gz")


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Truncate, delete, insert or change bytes: anywhere, or near the start or end."""
    where = rng.choice([(0, len(data)), (0, 600), (len(data) - 600, len(data))])
    at = min(max(rng.randrange(*where), 0), len(data) - 1)
    match rng.randrange(4):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + data[at + rng.randrange(1, 600) :]
        case 2:
            return data[:at] + rng.randbytes(rng.randrange(1, 600)) + data[at:]
    changed = bytearray(data)
    for _ in range(rng.choice([1, 2, 20])):
        changed[min(at + rng.randrange(100), len(data) - 1)] = rng.randrange(256)
    return bytes(changed)


@pytest.mark.parametrize("quarantine", [False, True])
@pytest.mark.parametrize("kind", [*SOURCES])
def test_damaged_sources_give_a_message_or_the_right_images(
    tmp_path: Path, kind: str, quarantine: bool
) -> None:
    path = SOURCES[kind](tmp_path)
    intact = path.read_bytes()
    named = (str(table(tmp_path)), str(path)) if kind == "votes" else (str(path),)
    config = DataConfig(sources=named, quarantine_bad_rows=quarantine)
    [expected, *_] = (one.table for one in read_sources(config, 0))
    assert expected is not None
    rng = random.Random(kind)
    for _ in range(TRIALS):
        path.write_bytes(damaged(intact, rng))
        problems, images = outcome(config)
        assert problems or images is not None
        assert all(problem.isprintable() for problem in problems)
        if images is not None and kind in WITH_CHECKSUM:
            np.testing.assert_array_equal(images, expected.images)


def outcome(config: DataConfig) -> tuple[tuple[str, ...], Images | None]:
    try:
        fingerprint_sources(config, 0)
        table = read_sources(config, 0)[0].table
    except DataError as error:
        return error.problems, None
    assert table is not None
    return (), table.images
