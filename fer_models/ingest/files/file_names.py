"""Which files of a folder or an archive count, and which are images by their name."""

from pathlib import PurePosixPath

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
)
# What file managers leave in folders of images.
_LITTER = {"thumbs.db", "desktop.ini", "__macosx"}


def is_visible(path: str) -> bool:
    """Whether a relative POSIX path names no hidden file and nothing in a hidden folder."""
    return not any(_is_hidden(part) for part in path.split("/"))


def is_image(path: str) -> bool:
    """Whether a file is an image by its name."""
    return PurePosixPath(path).suffix.lower() in IMAGE_SUFFIXES


def is_table(path: str) -> bool:
    """Whether a file is a table by its name."""
    return path.lower().endswith((".csv", ".parquet"))


def is_utf8(name: str) -> bool:
    """Whether a file name is text that every machine can write down."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_hidden(name: str) -> bool:
    return (name.startswith(".") and name not in (".", "..")) or name.lower() in _LITTER
