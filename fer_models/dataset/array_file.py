"""Arrays as files of an artifact, hashed and written without a copy of their pixels."""

import io
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from fer_models.dataset.image_format import Pixels
from fer_models.storage.backend import Buffers


def npy_buffers(array: Pixels) -> Buffers:
    """What `np.save` would write.

    Example:
        store.put(SnapshotRef, sha, {"images.npy": npy_buffers(images)}, info={})
    """
    contiguous = np.ascontiguousarray(array)
    header = io.BytesIO()
    fields = np.lib.format.header_data_from_array_1_0(contiguous)
    np.lib.format.write_array_header_1_0(header, fields)
    return Buffers((header.getvalue(), contiguous.reshape(-1).data))


@contextmanager
def hashed_meanwhile(files: Iterable[Buffers]) -> Iterator[None]:
    """Compute the sha256 of the files in another thread, on another core, during the block."""
    with ThreadPoolExecutor(1) as thread:
        hashes = [thread.submit(getattr, one, "sha256") for one in files]
        yield
        for future in hashes:
            future.result()
