"""The formats of sources, told by content."""

import io
from enum import StrEnum

from fer_models.ingest.files.compression import detect_compression, unsupported_compression
from fer_models.ingest.formats.csv_rows import read_header

_PARQUET_MAGIC = b"PAR1"
_HEAD_BYTES = 512
_FERPLUS_MARKS = {"neutral", "happiness", "contempt", "nf"}
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")


class SourceKind(StrEnum):
    """The format of a source."""

    SYNTHETIC = "synthetic"
    FOLDER = "folder"
    IMAGE_ARCHIVE = "archive of images"
    PIXEL_TABLE = "pixel table"
    PARQUET = "parquet"
    FERPLUS = "FER+ votes"


def kind_of_content(content: bytes, suffix: str) -> SourceKind | str:
    """The format of a file that begins with `content`, or why it is none, with a remedy."""
    head = content[:_HEAD_BYTES]
    if not head.strip(b"\0 \t\r\n"):
        return "the file is empty; copy or download it again"
    foreign = unsupported_compression(head)
    if foreign:
        return f"is packed ({foreign}); unpack it and name what was in it"
    if detect_compression(head):
        return "is packed twice; unpack it once and name what was in it"
    if head.startswith(_PARQUET_MAGIC) or suffix.lower() == ".parquet":
        return SourceKind.PARQUET
    if head.startswith(_WIDE_MARKS):
        return "is UTF-16 or UTF-32 text; save it as UTF-8 (csv)"
    if b"\0" in head:
        return (
            "expected a csv table, a parquet file or a folder of images, got another binary file; "
            "name one of them (a single image belongs into <folder>/<class>/)"
        )
    is_ferplus = len(_FERPLUS_MARKS & set(columns_of(content))) > 1
    return SourceKind.FERPLUS if is_ferplus else SourceKind.PIXEL_TABLE


def columns_of(content: bytes) -> list[str]:
    """The column names of a csv table that begins with `content`."""
    return read_header(io.BytesIO(content))
