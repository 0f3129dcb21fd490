"""Many image files decoded on all cores, a few at a time in memory."""

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice

from fer_models.data.sources.image_bytes import GreyImage, decode_image
from fer_models.progress import report

Outcome = GreyImage | str
Loader = Callable[[], bytes | str]

DAMAGED_IN_ARCHIVE = "damaged inside the archive; pack or download it again"

_FILES_PER_TASK = 32
# One image may take hundreds of megabytes while it is decoded.
_MAX_THREADS = 8


def decode_in_order(
    loaders: Iterable[tuple[str, Loader]], total: int, name: str
) -> Iterator[tuple[str, Outcome]]:
    """Decode images in the order in which they come; tells progress as `name`.

    Args:
        loaders: path and what gives the file's bytes, or a sentence that says why it can't.
            Called in a thread.
        total: how many there are.
        name: of the source.

    Yields:
        Path, and the image as uint8 48 x 48 grey values or what is wrong with it.
    """
    # Decoding releases the interpreter lock, so threads are enough; small images would spend
    # more time on being handed out one by one.
    todo, done = iter(loaders), 0
    num_threads = min(os.cpu_count() or 1, _MAX_THREADS)
    waiting: deque[Future[list[tuple[str, Outcome]]]] = deque()
    with quiet_decoding(), ThreadPoolExecutor(num_threads) as pool:
        while True:
            while len(waiting) < 2 * num_threads and (group := list(islice(todo, _FILES_PER_TASK))):
                waiting.append(pool.submit(_decode_group, group))
            if not waiting:
                return
            outcomes = waiting.popleft().result()
            yield from outcomes
            done += len(outcomes)
            report("ingest", done, total, "images", name)


@contextmanager
def quiet_decoding() -> Iterator[None]:
    """Silence what Pillow warns of: every damage that matters is an outcome."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _decode_group(group: list[tuple[str, Loader]]) -> list[tuple[str, Outcome]]:
    return [(path, _decode(loader())) for path, loader in group]


def _decode(loaded: bytes | str) -> Outcome:
    return loaded if isinstance(loaded, str) else decode_image(loaded)
