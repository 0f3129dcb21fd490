"""Arrays become files of an artifact without a copy."""

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest

from fer_models.dataset.array_file import HEADER_BYTES, NpyFile, hashed_meanwhile, npy_buffers
from fer_models.storage.backend import Buffers
from fer_models.unnamed_file import UnnamedFile

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(0, 48, 48), (1, 48, 48), (20, 64, 64, 3), (123_456, 2, 2)])
def test_the_content_is_that_of_numpy(shape: tuple[int, ...]) -> None:
    array = RNG.integers(0, 256, shape, dtype=np.uint8)
    expected = io.BytesIO()
    np.save(expected, array)
    written, buffers = io.BytesIO(), npy_buffers(array)
    buffers.write_to(written)
    assert written.getvalue() == expected.getvalue()
    assert buffers.size == len(expected.getvalue())
    assert buffers.sha256 == hashlib.sha256(expected.getvalue()).hexdigest()
    assert np.shares_memory(np.frombuffer(buffers.parts[1], np.uint8), array) == bool(array.size)


def test_hashes_are_computed_beside_the_block() -> None:
    one = Buffers((b"a", memoryview(b"bc")))
    with hashed_meanwhile([one]):
        pass
    assert vars(one)["sha256"] == hashlib.sha256(b"abc").hexdigest()


def mapped(folder: Path, num_images: int) -> tuple[UnnamedFile, np.ndarray]:
    """Images in a file, behind the room for a header."""
    file = UnnamedFile(folder)
    os.truncate(file.fileno(), HEADER_BYTES + num_images * 64 * 64)
    path = f"/proc/self/fd/{file.fileno()}"
    images = np.memmap(path, np.uint8, "r+", HEADER_BYTES, (num_images, 64, 64))
    images[:] = RNG.integers(0, 256, images.shape, dtype=np.uint8)
    return file, images


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux")
@pytest.mark.parametrize(("num_complete", "num_kept"), [(5, 5), (3, 5), (5, 4), (0, 1)])
def test_the_file_is_what_numpy_writes_and_its_hash_is_right(
    tmp_path: Path, num_complete: int, num_kept: int
) -> None:
    file, images = mapped(tmp_path, 5)
    own = NpyFile(file, images)
    for number in range(num_complete + 1):
        own.complete(number)
    buffers = own.buffers(num_kept)
    expected = io.BytesIO()
    np.save(expected, images[:num_kept])
    assert buffers.file is file
    assert Path(f"/proc/self/fd/{file.fileno()}").read_bytes() == expected.getvalue()
    assert buffers.read_bytes() == expected.getvalue()
    assert buffers.sha256 == hashlib.sha256(expected.getvalue()).hexdigest()
    assert bool(buffers.known_sha256) == (num_complete == num_kept == 5)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux")
def test_a_file_with_more_than_the_images_is_not_taken_over(tmp_path: Path) -> None:
    file, images = mapped(tmp_path, 2)
    os.pwrite(file.fileno(), b"more", HEADER_BYTES + images.nbytes)
    buffers = NpyFile(file, images).buffers(2)
    assert buffers.file is None
    assert buffers.sha256 == npy_buffers(images).sha256
