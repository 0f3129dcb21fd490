"""Cached results are reused exactly while the file is provably unchanged."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from fer_models.ingest.files import stat_cache
from fer_models.ingest.files.stat_cache import StatCache

SECOND = 1_000_000_000


class Reader:
    """Reads files through a cache, and records the paths that were really read."""

    def __init__(self, max_entries: int = 10) -> None:
        self.cache = StatCache[str](max_entries)
        self.reads: list[Path] = []

    def read(self, path: Path, *key: str) -> str:
        def compute() -> str:
            self.reads.append(path)
            return path.read_text()

        return self.cache.get(path, compute, *key)


class CoarsePath(type(Path())):  # type: ignore[misc]
    """A path on a file system where all writes happen at 100 s and look the same."""

    status: ClassVar[dict[str, int]] = {
        "st_dev": 1,
        "st_ino": 2,
        "st_size": 3,
        "st_mtime_ns": 100 * SECOND,
        "st_ctime_ns": 100 * SECOND,
    }

    def stat(self, **_: bool) -> Any:
        return SimpleNamespace(**self.status)


def test_an_unchanged_file_is_read_once(tmp_path: Path, settled: None) -> None:
    path, reader = tmp_path / "a", Reader()
    path.write_text("one")
    assert [reader.read(path) for _ in range(3)] == ["one"] * 3
    assert reader.reads == [path]


@pytest.mark.parametrize("text", ["two", "other"])
def test_a_changed_file_is_read_again(tmp_path: Path, settled: None, text: str) -> None:
    path, reader = tmp_path / "a", Reader()
    path.write_text("one")
    reader.read(path)
    path.write_text(text)
    assert [reader.read(path) for _ in range(2)] == [text] * 2
    assert len(reader.reads) == 2


def test_a_restored_modification_time_is_not_trusted(tmp_path: Path, settled: None) -> None:
    path, reader = tmp_path / "a", Reader()
    path.write_text("one")
    before = path.stat()
    reader.read(path)
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert reader.read(path) == "two"


def test_a_replaced_file_is_read_again(tmp_path: Path, settled: None) -> None:
    path, other, reader = tmp_path / "a", tmp_path / "b", Reader()
    path.write_text("one")
    other.write_text("two")
    reader.read(path)
    other.replace(path)
    assert reader.read(path) == "two"


@pytest.mark.parametrize(("age_s", "is_trusted"), [(1.999, False), (2.0, True), (-5.0, False)])
def test_recent_changes_are_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age_s: float, is_trusted: bool
) -> None:
    monkeypatch.setattr(stat_cache, "_now_ns", lambda: 100 * SECOND + round(age_s * SECOND))
    path, reader = CoarsePath(tmp_path / "a"), Reader()
    path.write_text("one")
    reader.read(path)
    path.write_text("two")  # without any visible difference
    assert reader.read(path) == ("one" if is_trusted else "two")


@pytest.mark.parametrize("field", [*CoarsePath.status])
def test_any_change_of_the_status_is_a_change_of_the_file(
    tmp_path: Path, settled: None, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    path, reader = CoarsePath(tmp_path / "a"), Reader()
    path.write_text("one")
    assert [reader.read(path) for _ in range(2)] == ["one"] * 2
    path.write_text("two")
    monkeypatch.setitem(CoarsePath.status, field, CoarsePath.status[field] - 1)
    assert reader.read(path) == "two"
    assert len(reader.reads) == 2


@pytest.mark.parametrize("times", [(0, 100), (100, 0)], ids=["changed", "modified"])
def test_the_later_of_both_times_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: tuple[int, int]
) -> None:
    modified_s, changed_s = times
    monkeypatch.setitem(CoarsePath.status, "st_mtime_ns", modified_s * SECOND)
    monkeypatch.setitem(CoarsePath.status, "st_ctime_ns", changed_s * SECOND)
    monkeypatch.setattr(stat_cache, "_now_ns", lambda: 101 * SECOND)
    path, reader = CoarsePath(tmp_path / "a"), Reader()
    path.write_text("one")
    reader.read(path)
    path.write_text("two")
    assert reader.read(path) == "two"


def test_a_file_written_right_now_is_read_each_time(tmp_path: Path) -> None:
    path, reader = tmp_path / "a", Reader()
    for text in ("one", "two", "six", "ten"):
        path.write_text(text)
        assert reader.read(path) == text
    assert len(reader.reads) == 4


def test_results_differ_by_key_and_by_absolute_path(
    tmp_path: Path, settled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader()
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a").write_text(folder)
        monkeypatch.chdir(tmp_path / folder)
        assert [reader.read(Path("a"), key) for key in ("x", "y", "x")] == [folder] * 3
    assert len(reader.reads) == 4
    monkeypatch.chdir(tmp_path / "first")
    assert reader.read(Path("a"), "x") == "first"
    assert len(reader.reads) == 4


def test_errors_are_not_stored(tmp_path: Path, settled: None) -> None:
    path, reader = tmp_path / "a", Reader()
    with pytest.raises(FileNotFoundError):
        reader.read(path)
    path.write_bytes(b"\xff")
    for _ in range(2):
        with pytest.raises(UnicodeDecodeError):
            reader.read(path)
    assert len(reader.reads) == 2


def test_the_oldest_results_are_dropped_first(tmp_path: Path, settled: None) -> None:
    reader = Reader(max_entries=2)
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_text(path.name)
        reader.read(path)
    reader.read(paths[2])
    reader.read(paths[1])
    assert reader.reads == paths
    reader.read(paths[0])
    assert reader.reads == [*paths, paths[0]]
