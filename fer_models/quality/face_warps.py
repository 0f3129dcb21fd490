"""Pictures that are no upright, well-framed faces, made of faces. Integer arithmetic throughout.

n images, uint8 n x 48 x 48.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import IMAGE_SIZE_PX, Images

Integers = npt.NDArray[np.int64]
Places = npt.NDArray[np.int32]

_FRACTION_BITS = 8
_ONE = 1 << _FRACTION_BITS  # fixed point: 256 is one pixel, or a factor of 1
_CENTRE = (IMAGE_SIZE_PX - 1) * _ONE // 2


def turned(images: Images, rng: np.random.Generator) -> Images:
    """Turned by 40 to 180 degrees, either way."""
    count = len(images)
    angle = rng.integers(40, 181, size=count) * rng.choice((-1, 1), size=count)
    return _warped(images, angle, rng.integers(90, 116, size=count), _near(count, 0, rng), rng)


def far_away(images: Images, rng: np.random.Generator) -> Images:
    """Faces that fill a third to two thirds of the side."""
    count = len(images)
    size = rng.integers(35, 66, size=count)
    return _warped(images, _tilt(count, rng), size, _near(count, 8, rng), rng)


def too_close(images: Images, rng: np.random.Generator) -> Images:
    """A part of a face, 1.6 to 3 times enlarged."""
    count = len(images)
    size = rng.integers(160, 301, size=count)
    return _warped(images, _tilt(count, rng), size, _near(count, 20, rng), rng)


def off_centre(images: Images, rng: np.random.Generator) -> Images:
    """Moved by 11 to 24 pixels down, up or aside."""
    count = len(images)
    shift = _near(count, 24, rng)
    axis = rng.integers(0, 2, size=count)
    far = rng.integers(11, 25, size=count) * rng.choice((-1, 1), size=count)
    shift[np.arange(count), axis] = far
    size = rng.integers(80, 121, size=count)
    return _warped(images, np.zeros(count, dtype=np.int64), size, shift, rng)


def shuffled(images: Images, rng: np.random.Generator) -> Images:
    """Cut into 2 x 2 to 6 x 6 squares that are put together in another order."""
    result = np.empty_like(images)
    for number, parts in enumerate(rng.choice((2, 3, 4, 6), size=len(images)).tolist()):
        side = IMAGE_SIZE_PX // parts
        squares = images[number].reshape(parts, side, parts, side).swapaxes(1, 2)
        mixed = squares.reshape(-1, side, side)[rng.permutation(parts * parts)]
        picture = mixed.reshape(parts, parts, side, side).swapaxes(1, 2)
        result[number] = picture.reshape(IMAGE_SIZE_PX, IMAGE_SIZE_PX)
    return result


WARPS: tuple[Callable[[Images, np.random.Generator], Images], ...] = (
    turned,
    far_away,
    too_close,
    off_centre,
    shuffled,
)


def _tilt(count: int, rng: np.random.Generator) -> Integers:
    return rng.integers(-23, 24, size=count)


def _near(count: int, most_px: int, rng: np.random.Generator) -> Integers:
    return rng.integers(-most_px, most_px + 1, size=(count, 2))


def _warped(
    images: Images,
    degrees: Integers,
    size_percent: Integers,
    shift_px: Integers,
    rng: np.random.Generator,
) -> Images:
    """Turn, scale and shift each image; what lies outside is its edge, its mirror or its repeat."""
    sines = np.round(np.sin(np.deg2rad(np.arange(360))) * _ONE).astype(np.int64)
    cosine = sines[(degrees + 90) % 360] * 100 // size_percent
    sine = sines[degrees % 360] * 100 // size_percent
    place = np.arange(IMAGE_SIZE_PX) * _ONE - _CENTRE
    down = (place[None, :] - shift_px[:, :1] * _ONE)[:, :, None]
    across = (place[None, :] - shift_px[:, 1:] * _ONE)[:, None, :]
    down, across = down.astype(np.int32), across.astype(np.int32)
    cosine = cosine[:, None, None].astype(np.int32)
    sine = sine[:, None, None].astype(np.int32)
    # Where each pixel of the result comes from.
    from_down = ((cosine * down - sine * across) >> _FRACTION_BITS) + _CENTRE
    from_across = ((sine * down + cosine * across) >> _FRACTION_BITS) + _CENTRE
    outside = rng.integers(0, 3, size=len(images))
    return _sampled(images, from_down, from_across, outside)


def _sampled(images: Images, down: Places, across: Places, outside: Integers) -> Images:
    """Bilinear samples at fixed-point places n x 48 x 48."""
    pixels = images.reshape(-1)
    start = (np.arange(len(images), dtype=np.int32) * IMAGE_SIZE_PX**2)[:, None, None]
    rows, columns = _neighbours(down, outside), _neighbours(across, outside)
    total = np.zeros(down.shape, dtype=np.int32)
    for row, row_weight in zip(rows, _weights(down), strict=True):
        for column, column_weight in zip(columns, _weights(across), strict=True):
            total += row_weight * column_weight * pixels[start + row * IMAGE_SIZE_PX + column]
    return (total >> (2 * _FRACTION_BITS)).astype(np.uint8)


def _weights(place: Places) -> tuple[Places, Places]:
    """Weights of the pixel before and the pixel after each place; together 256."""
    after = place & (_ONE - 1)
    return _ONE - after, after


def _neighbours(place: Places, outside: Integers) -> tuple[Places, Places]:
    """The pixel before and the pixel after each place."""
    before = place >> _FRACTION_BITS
    return _inside(before, outside), _inside(before + 1, outside)


def _inside(place: Places, outside: Integers) -> Places:
    """Pixels beyond the edge, led back into the image: edge (0), mirror (1) or repeat (2)."""
    last = IMAGE_SIZE_PX - 1
    found = np.clip(place, 0, last)
    mirror, repeat = outside == 1, outside == 2
    found[mirror] = last - np.abs(last - place[mirror] % (2 * last))
    found[repeat] = place[repeat] % IMAGE_SIZE_PX
    return found
