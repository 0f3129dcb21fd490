"""The local copy of a source in a bucket, against a real server."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fer_models.errors import DataError, StoreError
from fer_models.progress import Progress, listening
from fer_models.storage.s3 import mirror as mirror_module
from fer_models.storage.s3.mirror import mirror
from fer_models.storage.s3.source import S3Source
from tests.fer_models.storage.buckets import put_objects, remove_objects

pytestmark = [pytest.mark.s3, pytest.mark.timeout(300)]

FACES = {"happy/1.png": b"one", "happy/2.png": b"two", "sad/1.png": b"", "a b\u00fc[*].png": b"x"}


@pytest.fixture
def url(s3_store_url: str) -> str:
    put_objects(f"{s3_store_url}/faces", FACES)
    put_objects(f"{s3_store_url}/faces-old", {"1.png": b"another prefix"})
    return f"{s3_store_url}/faces"


def _files(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def _inodes(folder: Path) -> dict[str, int]:
    return {key: (folder / key).stat().st_ino for key in _files(folder)}


def test_the_copy_holds_the_objects_below_the_prefix(url: str) -> None:
    folder = mirror(S3Source(url))
    assert folder.name == "faces"
    assert _files(folder) == FACES


def test_only_what_has_changed_is_downloaded_and_the_rest_removed(url: str) -> None:
    folder = mirror(S3Source(url))
    before = _inodes(folder)
    put_objects(url, {"happy/1.png": b"ONE", "happy/2.png": b"two", "new/1.png": b"new"})
    remove_objects(url, ["sad/1.png"])
    assert mirror(S3Source(url)) == folder
    assert _files(folder) == {
        "happy/1.png": b"ONE",
        "happy/2.png": b"two",
        "new/1.png": b"new",
        "a b\u00fc[*].png": b"x",
    }
    assert not (folder / "sad").exists()
    after = _inodes(folder)
    assert {key for key in before.keys() & after.keys() if before[key] == after[key]} == {
        "happy/2.png",
        "a b\u00fc[*].png",
    }


def test_a_copy_that_was_changed_or_added_locally_is_corrected(url: str) -> None:
    folder = mirror(S3Source(url))
    (folder / "happy" / "1.png").write_bytes(b"ONE")
    (folder / "happy" / "9.png").write_bytes(b"of a process that was killed before it recorded it")
    assert _files(mirror(S3Source(url))) == FACES


def test_a_prefix_can_become_an_object_and_back(url: str) -> None:
    mirror(S3Source(url))
    remove_objects(url, FACES)
    put_objects(url, {"": b"a table"})
    assert mirror(S3Source(url)).read_bytes() == b"a table"
    remove_objects(url, [""])
    put_objects(url, {"1.png": b"x"})
    assert _files(mirror(S3Source(url))) == {"1.png": b"x"}


def test_an_object_can_become_a_folder_below_and_back(url: str) -> None:
    put_objects(url, {"happy/3": b"file"})
    mirror(S3Source(url))
    remove_objects(url, ["happy/3"])
    put_objects(url, {"happy/3/a.png": b"below"})
    assert _files(mirror(S3Source(url))) == FACES | {"happy/3/a.png": b"below"}
    remove_objects(url, ["happy/3/a.png"])
    put_objects(url, {"happy/3": b"file"})
    assert _files(mirror(S3Source(url))) == FACES | {"happy/3": b"file"}


def test_all_keys_that_no_folder_can_hold_are_reported(url: str, tmp_path: Path) -> None:
    put_objects(
        url,
        {"x/../../evil": b"1", "a//b": b"1", "happy": b"1", "n" * 300: b"1", "marker/": b""},
    )
    with pytest.raises(DataError) as caught:
        mirror(S3Source(url))
    problems = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 4
    assert "'x/../../evil' would leave the folder (..); rename it" in problems
    assert "'a//b' has an empty part; rename it" in problems
    assert "can't be a file name; rename it" in problems
    assert "/happy is both a file and a folder (of " in problems
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("bad", ["s3://", "s3:///key", "s3://bucket//a", "s3://bucket/a/../b"])
def test_a_url_without_a_place_is_refused(bad: str) -> None:
    with pytest.raises(DataError, match=r"no bucket given|has an empty part|would leave"):
        S3Source(bad)


def test_names_that_are_not_wanted_are_left_out(url: str) -> None:
    put_objects(url, {".DS_Store": b"x", ".git/config": b"x"})
    assert _files(mirror(S3Source(url, lambda name: not name.startswith(".")))) == FACES


def test_a_missing_source_is_reported_with_what_there_is(url: str) -> None:
    source = S3Source(f"{url}s")
    for ask in (source.is_folder, source.objects):
        with pytest.raises(DataError, match=r"no object or folder .* contains faces-old/, faces/;"):
            ask()
    with pytest.raises(
        StoreError, match=r"bucket 'absent-bucket' does not exist .*correct the URL"
    ):
        S3Source("s3://absent-bucket/x").is_folder()


def _has_content(cache: Path) -> bool:
    """Whether a first file is in place; the download moves folders meanwhile."""
    try:
        return any(cache.rglob("content/many/*"))
    except FileNotFoundError:
        return False


def test_a_killed_download_continues(url: str, tmp_path: Path) -> None:
    many = {f"{number:04d}.png": os.urandom(500) for number in range(60)}
    put_objects(f"{url}/many", many)
    program = (
        "import sys\n"
        "from fer_models.storage.s3 import mirror\n"
        "mirror._BATCH_FILES = 5\n"
        "mirror.mirror(mirror.S3Source(sys.argv[1]))\n"
    )
    killed = subprocess.Popen([sys.executable, "-c", program, f"{url}/many"])
    end = time.monotonic() + 60
    while not _has_content(tmp_path / "cache") and time.monotonic() < end:
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    [folder] = (tmp_path / "cache").rglob("content/many")
    present = _files(folder)
    assert 0 < len(present) < len(many)
    assert present.items() <= many.items()  # complete files only

    journal = folder.parent.parent / "index.jsonl"
    with journal.open("a") as lines:
        lines.write('["torn')
    kept = _inodes(folder)
    assert _files(mirror(S3Source(f"{url}/many"))) == many
    same = [key for key, inode in kept.items() if (folder / key).stat().st_ino == inode]
    assert len(same) >= len(kept) - 5


def test_processes_can_share_a_copy(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(lambda _: mirror(S3Source(url)), range(8)))
    [folder] = folders
    assert _files(folder) == FACES


def test_endpoints_have_copies_of_their_own(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = mirror(S3Source(url))
    endpoint = os.environ["AWS_ENDPOINT_URL"].replace("127.0.0.1", "localhost")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()
    second = mirror(S3Source(url))
    assert first != second
    assert _files(second) == FACES


def test_progress_is_reported(url: str) -> None:
    seen: list[Progress] = []
    with listening(seen.append):
        mirror(S3Source(url))
    assert seen[-1].done == seen[-1].total > 0
    assert (seen[-1].unit, seen[-1].note) == ("MB", "downloading faces")


def test_an_object_that_keeps_changing_is_reported(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    download = mirror_module._download

    def change_then_download(*args: object) -> None:
        put_objects(url, {"happy/1.png": os.urandom(8)})
        download(*args)  # type: ignore[arg-type]
        put_objects(url, {"happy/1.png": os.urandom(8)})

    monkeypatch.setattr(mirror_module, "_download", change_then_download)
    with pytest.raises(StoreError, match="keeps changing"):
        mirror(S3Source(url))
