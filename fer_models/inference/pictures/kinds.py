"""What a file is, by its name or first bytes: a picture, an archive, a video or a table."""

from pathlib import Path, PurePath

from fer_models.ingest.files.compression import (
    HEAD_BYTES,
    Compression,
    detect_compression,
    unsupported_compression,
)
from fer_models.ingest.files.detection import is_image, is_table
from fer_models.ingest.files.streams import open_stream

PHONE_SUFFIXES = (".heic", ".heif", ".hif", ".avif")
VIDEO_SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp",
    ".ogv",
)  # fmt: skip
_ARCHIVES = (Compression.ZIP, Compression.TAR)
_TAR_SUFFIXES = (".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")


def is_picture_name(name: str) -> bool:
    """Whether a file is a picture by its suffix."""
    return is_image(name) or name.lower().endswith(PHONE_SUFFIXES)


def is_video_name(name: str) -> bool:
    """Whether a file is a video by its suffix."""
    return PurePath(name).suffix.lower() in VIDEO_SUFFIXES


def is_archive(path: str) -> bool:
    """Whether a file is a zip or tar archive (compressed or not), by its first bytes."""
    if is_picture_name(path) or not Path(path).is_file():
        return False
    try:
        with Path(path).open("rb") as stream:
            found = detect_compression(stream.read(HEAD_BYTES))
        if found in _ARCHIVES or found is None:
            return found is not None
        stream, _ = open_stream(Path(path))
        with stream:
            return detect_compression(stream.head()) in _ARCHIVES
    except Exception:  # noqa: BLE001 - a damaged one is reported when it is read
        return path.lower().endswith(_TAR_SUFFIXES)


def other_kind(path: str, video_hint: str) -> str:
    """Why a named file is no picture, and what to do; "" if it may be one."""
    if is_video_name(path):
        return f"a video, not a picture; {video_hint or 'see fer_models.video'}"
    if is_table(path):
        return "a table, not a picture; `ferflow submit --data FILE` predicts its rows"
    foreign = unsupported_compression(_head(path))
    return f"{foreign}, which is not supported; unpack it and name its folder" if foreign else ""


def _head(path: str) -> bytes:
    if not Path(path).is_file():  # opening a pipe would wait
        return b""
    try:
        with Path(path).open("rb") as stream:
            return stream.read(HEAD_BYTES)
    except OSError:
        return b""
