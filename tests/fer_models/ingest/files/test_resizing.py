"""Images that are resized together get the pixels that each would get alone."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fer_models.dataset.image_format import REDUCING_GAP, ImageFormat, thumbnail_of
from fer_models.ingest.files.image_pixels import decode_face, decode_pixels
from fer_models.ingest.files.resizing import resized_together, thumbnail_pixels
from tests.fer_models.ingest.builders import image_bytes

SIDES = st.integers(1, 300)


def pictures(shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    random = np.random.default_rng(len(shapes))
    return [random.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]


@settings(max_examples=40, deadline=None)
@given(
    sides=st.lists(SIDES, min_size=1, max_size=3), order=st.randoms(), size_px=st.integers(1, 99)
)
def test_images_of_any_sizes_are_resized_as_each_alone(
    sides: list[int], order: np.random.Generator, size_px: int
) -> None:
    several = [side for side in sides for _ in range(5)]
    order.shuffle(several)
    images = [Image.fromarray(one) for one in pictures([(side, side) for side in several])]
    alone = [
        one.resize((size_px, size_px), Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
        for one in images
    ]
    assert resized_together(images, ImageFormat(size_px)) == [one.tobytes() for one in alone]


@settings(max_examples=20, deadline=None)
@given(size_px=st.integers(48, 224), channels=st.sampled_from([1, 3]), number=st.integers(1, 9))
def test_thumbnails_are_those_of_a_snapshot(size_px: int, channels: int, number: int) -> None:
    source = ImageFormat(size_px, channels)
    images = pictures([source.shape] * number)
    made = thumbnail_pixels([one.tobytes() for one in images], source)
    assert made == [thumbnail_of(one).tobytes() for one in images]


@settings(max_examples=30, deadline=None)
@given(
    height=SIDES,
    width=SIDES,
    channels=st.sampled_from([1, 3]),
    fit=st.sampled_from(["stretch", "pad", "crop"]),
)
def test_prepared_faces_become_what_decoding_gives(
    height: int, width: int, channels: int, fit: str
) -> None:
    target = ImageFormat(48, channels, fit)  # type: ignore[arg-type]
    [data] = [image_bytes(one) for one in pictures([(height, width)])]
    face = decode_face(data, None, target)
    assert not isinstance(face, str)
    pixels = face if isinstance(face, bytes) else resized_together([face] * 4, target)[3]
    assert pixels == decode_pixels(data, None, target)


def test_a_large_image_is_resized_at_once() -> None:
    """Many of them would not fit into memory."""
    [large] = [image_bytes(one) for one in pictures([(600, 600)])]
    assert isinstance(decode_face(large, None, ImageFormat(48)), bytes)
