"""Pictures in batches of bounded memory, worked on by all cores."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fer_models.inference.picture import Picture
from fer_models.processes import num_cores

T = TypeVar("T")

_PICTURES_PER_TASK = 32
# Decoding one picture may take hundreds of megabytes.
_MAX_THREADS = 8
_BATCH = 1024
# Photos: progress is seen, and a Ctrl-C obeyed, a batch at a time.
_BATCH_BYTES = 8 << 20


def batches(
    pictures: Iterable[Picture], size: int = _BATCH, num_bytes: int = _BATCH_BYTES
) -> Iterator[list[Picture]]:
    """Pictures in lists of at most `size`, which end when they have `num_bytes` of content."""
    batch: list[Picture] = []
    total = 0
    for picture in pictures:
        batch.append(picture)
        total += picture.num_bytes
        if len(batch) == size or total >= num_bytes:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def map_pictures(call: Callable[[Picture], T], batch: Sequence[Picture]) -> list[T]:
    """The results of a call for each picture, in order, made on all cores."""

    def call_each(group: Sequence[Picture]) -> list[T]:
        return [call(picture) for picture in group]

    # One task per small image would cost more than its decoding, and photos need more balance.
    is_small = sum(picture.num_bytes for picture in batch) < len(batch) * (1 << 14)
    step = _PICTURES_PER_TASK if is_small else 1
    groups = [batch[start : start + step] for start in range(0, len(batch), step)]
    threads = min(num_cores(), _MAX_THREADS, len(groups))
    if threads <= 1:
        return call_each(batch)
    with ThreadPoolExecutor(threads) as pool:
        return [result for group in pool.map(call_each, groups) for result in group]
