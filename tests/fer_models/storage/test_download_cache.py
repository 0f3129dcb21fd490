import hashlib
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fer_models.errors import StoreError
from fer_models.storage.backend import FileEntry
from fer_models.storage.download_cache import cached_download

DATA = b"images" * 1000
ENTRY = FileEntry(key="datasets/x/images.npy", size=6000, sha256=hashlib.sha256(DATA).hexdigest())


def test_readers_at_the_same_time_share_one_download(tmp_path: Path) -> None:
    downloads: list[Path] = []

    def download(part: Path) -> None:
        downloads.append(part)
        time.sleep(0.2)  # long enough for the others to ask, too
        part.write_bytes(DATA)

    with ThreadPoolExecutor(8) as threads:
        runs = [
            threads.submit(cached_download, tmp_path, "s3://b", ENTRY, download) for _ in range(8)
        ]
        paths = {run.result() for run in runs}
    assert len(downloads) == 1
    assert [path.read_bytes() for path in paths] == [DATA]


def test_a_damaged_file_of_the_cache_is_downloaded_again(tmp_path: Path) -> None:
    path = cached_download(tmp_path, "s3://b", ENTRY, lambda part: none(part.write_bytes(DATA)))
    path.write_bytes(b"x")
    again = cached_download(tmp_path, "s3://b", ENTRY, lambda part: none(part.write_bytes(DATA)))
    assert again.read_bytes() == DATA


def test_a_download_that_does_not_match_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="damaged"):
        cached_download(tmp_path, "s3://b", ENTRY, lambda part: none(part.write_bytes(b"x")))


def none(_: object) -> None:
    """Discards a value."""


def test_the_cache_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o755)
    path = cached_download(folder, "s3://b", ENTRY, lambda part: part.write_bytes(DATA) and None)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
