"""Small source files of every format, for tests."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fer_models.dataset.snapshot import Images
from fer_models.ingest.decoding.decoder import Decoder
from fer_models.ingest.files.detection import SourceKind
from fer_models.ingest.files.streams import SourceFile
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.labels import DEFAULT_LABELS
from fer_models.ingest.layouts.image_folder import open_images, read_images
from fer_models.ingest.source_table import SourceTable

USAGES = ("Training", "PublicTest", "PrivateTest")
VOTE_NAMES = (
    "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF".split(",")  # noqa: SIM905
)


def random_images(count: int, seed: int = 0) -> Images:
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 48), dtype=np.uint8)


def pixel_text(image: np.ndarray) -> str:
    return " ".join(str(value) for value in image.ravel().tolist())


def usages(count: int) -> list[str]:
    """Two thirds Training, then PublicTest, then PrivateTest, as in fer2013.csv."""
    held_out = count // 6
    return ["Training"] * (count - 2 * held_out) + [
        usage for usage in USAGES[1:] for _ in range(held_out)
    ]


def fer2013_lines(images: Images) -> list[str]:
    """The rows of fer2013.csv: cycling classes, Usage in blocks."""
    rows = zip(images, usages(len(images)), strict=True)
    return [f"{row % 7},{pixel_text(image)},{usage}" for row, (image, usage) in enumerate(rows)]


def write_lines(path: Path, header: str, lines: Sequence[str], end: str = "\n") -> Path:
    path.write_text("\n".join([header, *lines]) + end, encoding="utf-8", newline="")
    return path


def write_fer2013(path: Path, images: Images) -> Path:
    return write_lines(path, "emotion,pixels,Usage", fer2013_lines(images))


def write_ferplus(path: Path, row_usages: Sequence[str], votes: np.ndarray | None = None) -> Path:
    """One row a usage; votes N x 10, by default five for neutral and five for sadness."""
    if votes is None:
        votes = np.tile([5, 0, 0, 5, 0, 0, 0, 0, 0, 0], (len(row_usages), 1))
    lines = [
        f"{usage},fer{row:07d}.png,{','.join(str(count) for count in votes[row])}"
        for row, usage in enumerate(row_usages)
    ]
    return write_lines(path, f"Usage,Image name,{','.join(VOTE_NAMES)}", lines)


def image_bytes(image: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


def write_folder(root: Path, files: Mapping[str, np.ndarray | bytes]) -> Path:
    """Files by relative path; arrays are written as PNG files, whatever their suffix."""
    root.mkdir(parents=True, exist_ok=True)
    for relative, content in files.items():
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else image_bytes(content))
    return root


def read_image_source(kind: SourceKind, file: SourceFile, findings: Findings) -> SourceTable | None:
    """The images of a folder, archive or list, with default settings."""
    opened = open_images(kind, file, findings)
    if opened is None:
        return None
    with Decoder() as decoder:
        return read_images(opened, findings, DEFAULT_LABELS, decoder)


def write_parquet(path: Path, columns: Mapping[str, Sequence[object]]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(dict(columns)), path)
    return path


def parquet_columns(images: Images, with_votes: bool = False) -> dict[str, list[object]]:
    """The columns of the project's FER2013 parquet file."""
    count = len(images)
    columns: dict[str, list[object]] = {
        "row": list(range(count)),
        "emotion": [row % 7 for row in range(count)],
        "Usage": list(usages(count)),
        "png": [image_bytes(image) for image in images],
    }
    if with_votes:
        columns |= {f"ferplus_{name}": [1] * count for name in VOTE_NAMES}
    return columns
