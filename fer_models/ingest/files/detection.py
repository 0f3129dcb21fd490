"""File type detection: by file name, and by the first bytes of a file."""

import csv
import functools
import io
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from fer_models.ingest.files.compression import detect_compression, unsupported_compression

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
)
_IMAGE_SUFFIXES = frozenset(suffix[1:] for suffix in IMAGE_SUFFIXES)
LIST_SUFFIXES = (".csv", ".tsv", ".txt", ".lst", ".json", ".jsonl", ".parquet", "_exp.npy")
COMPRESSED_SUFFIXES = (".gz", ".bz2", ".xz")
# Left behind by file managers in folders of images.
_LITTER = {"thumbs.db", "desktop.ini", "__macosx"}

_PARQUET_MAGIC = b"PAR1"
_MAGIC_BYTES = 512
_FERPLUS_COLUMNS = {"neutral", "happiness", "contempt", "nf"}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WIDE_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
_MAX_HEADER_BYTES = 1 << 16
_SEPARATORS = (",", ";", "\t", "|")
_QUOTED = re.compile(r'"[^"]*"')


class SourceKind(StrEnum):
    """The format of a source."""

    SYNTHETIC = "synthetic"
    FOLDER = "folder"
    IMAGE_ARCHIVE = "archive of images"
    PIXEL_TABLE = "pixel table"
    PARQUET = "parquet"
    PARQUET_FOLDER = "folder of parquet files"
    FERPLUS = "FER+ votes"
    IMAGE_LIST = "list of images"


def kind_of_content(content: bytes, suffix: str) -> SourceKind | str:
    """The format of a file, or why it is not supported and what to do about it.

    Args:
        content: the first bytes of the decompressed file; for a csv table the whole header line.
        suffix: of the file name, used only where the content decides nothing.
    """
    head = content[:_MAGIC_BYTES]
    if not head.strip(b"\0 \t\r\n"):
        return "the file is empty; copy or download it again"
    foreign = unsupported_compression(head)
    if foreign:
        return f"unsupported compression ({foreign}); unpack it and name its content"
    if detect_compression(head):
        return "compressed twice; unpack it once and name its content"
    if head.startswith(_PARQUET_MAGIC) or suffix.lower() == ".parquet":
        return SourceKind.PARQUET
    if head.startswith(_WIDE_BYTE_ORDER_MARKS):
        return "UTF-16 or UTF-32 text; save it as UTF-8 (csv)"
    if b"\0" in head:
        return (
            "expected a csv table, a parquet file or a folder of images, got another binary file; "
            "name one of them (a single image belongs into <folder>/<class>/)"
        )
    columns = columns_of(content)
    is_ferplus = len(_FERPLUS_COLUMNS & set(columns)) > 1 and "pixels" not in columns
    return SourceKind.FERPLUS if is_ferplus else SourceKind.PIXEL_TABLE


def columns_of(content: bytes) -> list[str]:
    """The column names of a csv table that begins with `content`."""
    return read_header(io.BytesIO(content)).names


@dataclass(frozen=True)
class Header:
    """The first line of a text table: its column names, stripped, in lower case."""

    names: list[str]
    separator: str


def read_header(stream: BinaryIO, separator: str = "") -> Header:
    """Read the first line of a text table; without a separator, the line decides it."""
    line = stream.readline(_MAX_HEADER_BYTES).removeprefix(_BYTE_ORDER_MARK)
    text = line.decode("utf-8", errors="replace").strip("\r\n")
    separator = {"tab": "\t"}.get(separator, separator) or _separator_of(text)
    names = _fields(text, separator)
    return Header([name.strip().strip('"').strip().lower() for name in names], separator)


def _fields(line: str, separator: str) -> list[str]:
    if '"' in line:
        try:
            return next(csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True))
        except csv.Error:
            pass
    return line.split(separator)


def _separator_of(line: str) -> str:
    """The most frequent separator of a line outside quotes; a comma if there is none."""
    bare = _QUOTED.sub("", line)
    return max(_SEPARATORS, key=bare.count)


def is_visible(path: str) -> bool:
    """Whether a relative POSIX path has neither a hidden file nor a hidden folder in it."""
    return not any(_is_hidden(part) for part in path.split("/"))


def is_image(path: str) -> bool:
    """Whether a file is an image by its suffix."""
    # Not pathlib, which takes as long as decoding a small image.
    stem, _, suffix = path.rpartition(".")
    return suffix.lower() in _IMAGE_SUFFIXES and stem != ""


def folders_of(path: str) -> tuple[str, ...]:
    """The folders of a relative POSIX path, outermost first."""
    folder, slash, _ = path.rpartition("/")
    return _parts(folder) if slash else ()


@functools.lru_cache(maxsize=10_000)
def _parts(folder: str) -> tuple[str, ...]:
    return tuple(folder.split("/"))


def is_table(path: str) -> bool:
    """Whether a file is a table by its suffix."""
    return path.lower().endswith((".csv", ".parquet"))


def may_list(path: str) -> bool:
    """Whether a file may contain labels of images, by its suffix; it may be compressed."""
    return plain_name(path).lower().endswith(LIST_SUFFIXES)


def plain_name(path: str) -> str:
    """The path without the suffix of a compression.

    Example:
        plain_name("faces/train.csv.gz")  # "faces/train.csv"
    """
    stem, dot, suffix = path.rpartition(".")
    return stem if f"{dot}{suffix}".lower() in COMPRESSED_SUFFIXES else path


def is_utf8(name: str) -> bool:
    """Whether a file name can be encoded as UTF-8, and so written to any manifest."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_hidden(name: str) -> bool:
    return (name.startswith(".") and name not in (".", "..")) or name.lower() in _LITTER
