"""Mirrors of sources in buckets: a local copy that is brought up to date before it is read."""

import asyncio
import concurrent.futures
import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_models.errors import StoreError
from fer_models.progress import report
from fer_models.storage.download_cache import default_cache_dir, locked_folder
from fer_models.storage.s3.mirror_index import MirrorIndex
from fer_models.storage.s3.source import ObjectState, S3Source

_ROUNDS = 4
# After each batch its files count as downloaded: this is what a killed process may lose.
_BATCH_FILES = 500
_BATCH_BYTES = 64 << 20
_REPORT_EVERY_S = 0.5
_MEGABYTE = 1e6


def mirror(source: S3Source, cache_dir: Path | None = None) -> Path:
    """Bring the local copy of a source up to date.

    Only objects whose size or ETag has changed are downloaded, many at a time. What has vanished
    from the bucket is removed. A file appears only when it is complete, and a process that is
    killed loses the last batch at most. Processes that need the same source wait for each other.

    Example:
        folder = mirror(S3Source("s3://bucket/faces"))  # ~/.cache/ferflow/sources/.../faces

    Args:
        source: what is copied; the copy has its name.
        cache_dir: cache of downloads; by default `default_cache_dir()`.

    Returns:
        The file or folder.

    Raises:
        DataError: the source does not exist, or its keys can't be files of one folder.
        StoreError: the bucket or the cache can't be used, or the source does not stop changing.
    """
    identity = f"{source.connection.endpoint}\n{source.url}"
    folder = cache_dir or default_cache_dir()
    folder = folder / "sources" / hashlib.sha256(identity.encode()).hexdigest()[:24]
    with locked_folder(folder), source.connection.errors():
        content = folder / "content" / source.name
        index = MirrorIndex(folder, content)
        for _ in range(_ROUNDS):
            wanted = source.objects()
            index.drop_others(wanted)
            stale = index.stale(wanted)
            if not stale:
                return content
            try:
                _download(source, {key: wanted[key] for key in stale}, index, folder / "parts")
            except FileNotFoundError:
                continue  # an object was removed meanwhile: list them again
    raise StoreError(
        f"{source.url} keeps changing while it is downloaded; wait until its upload has ended"
    )


def _download(
    source: S3Source, wanted: Mapping[str, ObjectState], index: MirrorIndex, parts: Path
) -> None:
    """Download objects in batches; files of another size than expected are left out."""
    progress = _Progress(source.name, sum(state.size for state in wanted.values()))
    for batch in _batches(wanted):
        shutil.rmtree(parts, ignore_errors=True)  # of a killed process, or of the batch before
        parts.mkdir(parents=True)
        local = {key: parts / str(number) for number, key in enumerate(batch)}
        remote = [source.path_of(key) for key in batch]
        _get(source.connection.fs, remote, [str(path) for path in local.values()], progress)
        index.add(
            {
                key: (path, wanted[key])
                for key, path in local.items()
                if path.is_file() and path.stat().st_size == wanted[key].size
            }
        )
    shutil.rmtree(parts, ignore_errors=True)


def _batches(wanted: Mapping[str, ObjectState]) -> Iterator[list[str]]:
    batch: list[str] = []
    num_bytes = 0
    for key, state in wanted.items():
        if batch and (len(batch) == _BATCH_FILES or num_bytes + state.size > _BATCH_BYTES):
            yield batch
            batch, num_bytes = [], 0
        batch.append(key)
        num_bytes += state.size
    yield batch


def _get(fs: Any, remote: Sequence[str], local: Sequence[str], progress: "_Progress") -> None:
    """Download all files side by side in the thread of s3fs, and report progress in this one."""
    # `fs.get` would block until the end, without progress and deaf to an interrupt.
    coroutine = fs._get([*remote], [*local], callback=progress.callback())  # noqa: SLF001
    future = asyncio.run_coroutine_threadsafe(coroutine, fs.loop)
    try:
        while not future.done():
            progress.report()
            concurrent.futures.wait([future], timeout=_REPORT_EVERY_S)
        future.result()
    finally:
        future.cancel()
    progress.report()


class _Progress:
    """Counts the bytes of all files of a download."""

    def __init__(self, name: str, total_bytes: int) -> None:
        self._note = f"downloading {name}"
        self._total_bytes = total_bytes
        self._done_bytes = 0

    def add(self, num_bytes: int) -> None:
        """Count bytes; called in the thread of s3fs only."""
        self._done_bytes += num_bytes

    def report(self) -> None:
        """Send a progress event."""
        # Never more than the total: a lost connection makes some bytes arrive twice.
        done = min(self._done_bytes, self._total_bytes) / _MEGABYTE
        report("download", done, self._total_bytes / _MEGABYTE, "MB", self._note)

    def callback(self) -> Any:
        """The callback for s3fs: one for each file, which count together."""
        from fsspec.callbacks import Callback

        progress = self

        class OfFile(Callback):  # type: ignore[misc]
            def relative_update(self, inc: int = 1) -> None:
                progress.add(inc)

        class OfAll(Callback):  # type: ignore[misc]
            def branched(self, path_1: str, path_2: str, **kwargs: Any) -> Callback:
                del path_1, path_2, kwargs
                return OfFile()

        return OfAll()
