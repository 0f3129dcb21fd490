import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fer_models.campaign.codec import decode, encode
from fer_models.errors import DataError
from tests.fer_models.training.faces import pattern_images


@given(
    arrays(
        np.uint8,
        st.tuples(st.integers(0, 3), st.integers(1, 5), st.integers(1, 5)),
        elements=st.sampled_from([0, 1, 127, 128, 254, 255]),
    )
)
def test_decoding_gives_the_images_back(images: np.ndarray) -> None:
    decoded = decode(encode(images))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, images)


def test_smooth_images_take_less_than_deflated() -> None:
    ramp = np.add.outer(np.arange(48), np.arange(48)).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 4, (50, 48, 48), dtype=np.uint8)
    images = ramp + noise
    assert len(encode(images)) < 0.7 * len(zlib.compress(images.tobytes(), 9))
    np.testing.assert_array_equal(decode(encode(images)), images)


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda data: b"PK" + data,
        lambda data: data[:-20],
        lambda data: data[:40] + data[:40],
    ],
)
def test_other_bytes_are_rejected(damage: Callable[[bytes], bytes]) -> None:
    data = encode(pattern_images(np.arange(4), seed=0))
    with pytest.raises(DataError, match="pack them again"):
        decode(damage(data))
