"""A file without a name vanishes, or gets its name when it is whole."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from fer_models.unnamed_file import UnnamedFile

IS_LINUX = hasattr(os, "O_TMPFILE")


def test_it_vanishes_with_its_object(tmp_path: Path) -> None:
    file = UnnamedFile(tmp_path)
    descriptor, inode = file.fileno(), os.fstat(file.fileno()).st_ino
    os.pwrite(descriptor, b"some", 0)
    assert not list(tmp_path.iterdir())
    del file
    with suppress(OSError):  # closed, or another file's by now
        assert os.fstat(descriptor).st_ino != inode
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not IS_LINUX, reason="needs O_TMPFILE")
def test_it_is_named_when_it_is_whole(tmp_path: Path) -> None:
    file = UnnamedFile(tmp_path / "not" / "there yet")
    os.pwrite(file.fileno(), b"whole", 0)
    assert file.link(tmp_path / "named")
    assert (tmp_path / "named").read_bytes() == b"whole"
    assert (tmp_path / "named").stat().st_mode & 0o777 == _mode_of_new_files(tmp_path)
    with pytest.raises(FileExistsError):
        file.link(tmp_path / "named")


@pytest.mark.parametrize("is_rejected", [False, True])
def test_without_support_it_is_a_temporary_file_that_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_rejected: bool
) -> None:
    """As on another system, and on a file system that rejects such files."""
    if is_rejected:
        monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY, raising=False)
    else:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
        monkeypatch.setattr(tempfile, "_O_TMPFILE_WORKS", False, raising=False)
    file = UnnamedFile(tmp_path)
    os.pwrite(file.fileno(), b"whole", 0)
    assert not file.link(tmp_path / "named")
    assert not list(tmp_path.iterdir())


def _mode_of_new_files(folder: Path) -> int:
    (folder / "usual").touch()
    return (folder / "usual").stat().st_mode & 0o777
