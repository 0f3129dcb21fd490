"""Compressed files, zip and tar archives for tests, valid and hostile."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def compressed(path: Path, suffix: str) -> Path:
    """Compress the file to one beside it."""
    target = path.with_name(path.name + suffix)
    target.write_bytes(COMPRESSORS[suffix](path.read_bytes()))
    return target


def write_zip(path: Path, files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path: Path, files: Mapping[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def write_archive(path: Path, files: Mapping[str, bytes]) -> Path:
    """Zip or tar, compressed or not, by suffix."""
    if path.suffix == ".zip":
        return write_zip(path, files)
    modes = {".tar": "w", ".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}
    return write_tar(path, files, modes[path.suffix])


def add_tar_link(path: Path, name: str, kind: bytes = tarfile.SYMTYPE) -> Path:
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/hostname"
        archive.addfile(info)
    return path


def add_zip_link(path: Path, name: str) -> Path:
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo(name)
        info.create_system = 3
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/hostname")
    return path


def patched_zip(path: Path, offset_in_entry: int, value: int) -> Path:
    """Overwrite a 16-bit field of the first entry, in its header and in the central directory.

    Offsets in the central directory: 8 flags, 10 method.
    """
    data = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", offset_in_entry - 2), (b"PK\x01\x02", offset_in_entry)):
        at = data.find(magic) + offset
        data[at : at + 2] = value.to_bytes(2, "little")
    path.write_bytes(data)
    return path
