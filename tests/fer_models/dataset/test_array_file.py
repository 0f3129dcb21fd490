"""Arrays become files of an artifact without a copy."""

import hashlib
import io

import numpy as np
import pytest

from fer_models.dataset.array_file import hashed_meanwhile, npy_buffers
from fer_models.storage.backend import Buffers

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
