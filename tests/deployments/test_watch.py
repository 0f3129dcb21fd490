"""The watch reports changed content, once, and nothing else."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from deployments.watch import (
    DEFAULT_POLL_S,
    POLL_VARIABLE,
    SourceWatch,
    poll_interval_s,
    watch_sources,
)
from fer_models.errors import ConfigError
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import fingerprint_sources
from tests.fer_models.storage.buckets import put_objects, remove_objects


def _csv(path: Path, *greys: int) -> None:
    rows = [f"{grey % 7},{' '.join([str(grey)] * 48 * 48)},Training" for grey in greys]
    path.write_text("\n".join(["emotion,pixels,Usage", *rows, ""]), "utf-8")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "faces.csv"
    _csv(path, 10, 20)
    return path


def _config(*sources: Path) -> DataConfig:
    return DataConfig(sources=tuple(str(source) for source in sources))


def test_new_content_is_reported_once_it_is_stable(source: Path) -> None:
    watch = SourceWatch(_config(source))
    assert watch.poll() is None
    _csv(source, 10, 20, 30)
    assert watch.poll() is None  # it may still be written
    assert watch.poll() == fingerprint_sources(_config(source), 0)
    assert watch.poll() is None


def test_a_growing_file_is_waited_for(source: Path) -> None:
    watch = SourceWatch(_config(source))
    for count in (3, 4, 5):
        _csv(source, *range(count))
        assert watch.poll() is None
    assert watch.poll() is not None


def test_a_touched_file_is_no_change(source: Path) -> None:
    watch = SourceWatch(_config(source))
    os.utime(source, (1, 1))
    assert [watch.poll() for _ in range(3)] == [None] * 3


def test_a_missing_source_is_waited_for(source: Path, tmp_path: Path) -> None:
    watch = SourceWatch(_config(source))
    away = tmp_path / "away"
    shutil.move(source, away)
    assert [watch.poll() for _ in range(3)] == [None] * 3
    shutil.move(away, source)
    assert [watch.poll() for _ in range(3)] == [None] * 3
    source.unlink()
    assert watch.poll() is None
    _csv(source, 99)
    assert any(watch.poll() for _ in range(3))


def test_the_arrival_of_a_source_is_a_change(tmp_path: Path) -> None:
    source = tmp_path / "late.csv"
    watch = SourceWatch(_config(source))
    assert watch.poll() is None
    _csv(source, 1)
    assert any(watch.poll() for _ in range(3))


def test_a_damaged_source_is_waited_for(source: Path) -> None:
    watch = SourceWatch(_config(source))
    source.write_bytes(b"")
    assert [watch.poll() for _ in range(3)] == [None] * 3
    _csv(source, 42)
    assert any(watch.poll() for _ in range(3))


def test_folders_are_watched_to_any_depth(tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "faces"
    (folder / "happy").mkdir(parents=True)
    Image.new("L", (48, 48), 9).save(folder / "happy" / "0.png")
    watch = SourceWatch(_config(folder))
    Image.new("L", (48, 48), 10).save(folder / "happy" / "1.png")
    assert any(watch.poll() for _ in range(3))


def test_the_watch_survives_a_failing_callback(source: Path) -> None:
    stop, reported = threading.Event(), []

    def fail_first(fingerprint: str) -> None:
        reported.append(fingerprint)
        if len(reported) == 2:
            stop.set()
            return
        raise RuntimeError("the server is away")

    watching = threading.Thread(
        target=watch_sources, args=(_config(source), 0.05, fail_first, stop), daemon=True
    )
    watching.start()
    for grey in range(1, 200):
        _csv(source, *range(grey))
        watching.join(0.5)
        if not watching.is_alive():
            break
    assert len(reported) == 2
    assert len(set(reported)) == 2


def test_the_interval_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(POLL_VARIABLE, raising=False)
    assert poll_interval_s() == DEFAULT_POLL_S
    monkeypatch.setenv(POLL_VARIABLE, "0.5")
    assert poll_interval_s() == 0.5
    for wrong in ("soon", "0", "-1", "nan", "inf"):
        monkeypatch.setenv(POLL_VARIABLE, wrong)
        with pytest.raises(ConfigError, match="expected seconds"):
            poll_interval_s()


@pytest.mark.s3
def test_a_bucket_is_watched_by_its_listing(
    s3_store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    _csv(first, 10, 20)
    _csv(second, 10, 20, 30)
    url = f"{s3_store_url}/faces.csv"
    watch = SourceWatch(DataConfig(sources=(url,)))
    assert watch.poll() is None
    put_objects(url, {"": first.read_bytes()})
    assert any(watch.poll() for _ in range(3))  # its arrival

    put_objects(url, {"": first.read_bytes()})
    assert [watch.poll() for _ in range(3)] == [None] * 3  # rewritten with equal content

    put_objects(url, {"": second.read_bytes()})
    assert watch.poll() is None  # it may still be written
    assert watch.poll() == fingerprint_sources(DataConfig(sources=(url,)), 0)
    assert watch.poll() is None

    remove_objects(url, [""])
    assert [watch.poll() for _ in range(3)] == [None] * 3  # waited for


@pytest.mark.s3
def test_an_unchanged_bucket_is_only_listed(
    s3_store_url: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_objects(s3_store_url, {"faces.csv": source.read_bytes()})
    watch = SourceWatch(DataConfig(sources=(f"{s3_store_url}/faces.csv",)))
    monkeypatch.setattr(watch, "_content", lambda: pytest.fail("the content was read"))
    assert [watch.poll() for _ in range(3)] == [None] * 3
