"""Geometric warps that turn faces into images that are no upright, well-framed faces.

n images, uint8 n x 48 x 48. Own code, although torchvision warps images: integer arithmetic
throughout gives every machine the same face scores.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import IMAGE_SIZE_PX, Images

Integers = npt.NDArray[np.int64]
Positions = npt.NDArray[np.int32]

_FRACTION_BITS = 8
_ONE = 1 << _FRACTION_BITS  # fixed point: 256 is one pixel, or a factor of 1
_CENTRE = (IMAGE_SIZE_PX - 1) * _ONE // 2


def rotated(images: Images, rng: np.random.Generator) -> Images:
    """Rotated by 40 to 180 degrees in either direction."""
    count = len(images)
    angle = rng.integers(40, 181, size=count) * rng.choice((-1, 1), size=count)
    return _warp(
        images, angle, rng.integers(90, 116, size=count), _random_shift(count, 0, rng), rng
    )


def far_away(images: Images, rng: np.random.Generator) -> Images:
    """Faces shrunk to a third to two thirds of their size."""
    count = len(images)
    size = rng.integers(35, 66, size=count)
    return _warp(images, _random_tilt(count, rng), size, _random_shift(count, 8, rng), rng)


def too_close(images: Images, rng: np.random.Generator) -> Images:
    """A part of a face, enlarged 1.6 to 3 times."""
    count = len(images)
    size = rng.integers(160, 301, size=count)
    return _warp(images, _random_tilt(count, rng), size, _random_shift(count, 20, rng), rng)


def off_centre(images: Images, rng: np.random.Generator) -> Images:
    """Shifted by 11 to 24 pixels, vertically or horizontally."""
    count = len(images)
    shift = _random_shift(count, 24, rng)
    axis = rng.integers(0, 2, size=count)
    far = rng.integers(11, 25, size=count) * rng.choice((-1, 1), size=count)
    shift[np.arange(count), axis] = far
    size = rng.integers(80, 121, size=count)
    return _warp(images, np.zeros(count, dtype=np.int64), size, shift, rng)


def shuffled(images: Images, rng: np.random.Generator) -> Images:
    """Cut into 2 x 2 to 6 x 6 tiles that are shuffled."""
    result = np.empty_like(images)
    for number, parts in enumerate(rng.choice((2, 3, 4, 6), size=len(images)).tolist()):
        side = IMAGE_SIZE_PX // parts
        tiles = images[number].reshape(parts, side, parts, side).swapaxes(1, 2)
        mixed = tiles.reshape(-1, side, side)[rng.permutation(parts * parts)]
        image = mixed.reshape(parts, parts, side, side).swapaxes(1, 2)
        result[number] = image.reshape(IMAGE_SIZE_PX, IMAGE_SIZE_PX)
    return result


WARPS: tuple[Callable[[Images, np.random.Generator], Images], ...] = (
    rotated,
    far_away,
    too_close,
    off_centre,
    shuffled,
)


def _random_tilt(count: int, rng: np.random.Generator) -> Integers:
    return rng.integers(-23, 24, size=count)


def _random_shift(count: int, max_px: int, rng: np.random.Generator) -> Integers:
    return rng.integers(-max_px, max_px + 1, size=(count, 2))


def _warp(
    images: Images,
    degrees: Integers,
    size_percent: Integers,
    shift_px: Integers,
    rng: np.random.Generator,
) -> Images:
    """Rotate, scale and shift each image; pad it with its edge, its mirror image or its repeat."""
    sines = np.round(np.sin(np.deg2rad(np.arange(360))) * _ONE).astype(np.int64)
    cosine = sines[(degrees + 90) % 360] * 100 // size_percent
    sine = sines[degrees % 360] * 100 // size_percent
    grid = np.arange(IMAGE_SIZE_PX) * _ONE - _CENTRE
    down = (grid[None, :] - shift_px[:, :1] * _ONE)[:, :, None]
    across = (grid[None, :] - shift_px[:, 1:] * _ONE)[:, None, :]
    down, across = down.astype(np.int32), across.astype(np.int32)
    cosine = cosine[:, None, None].astype(np.int32)
    sine = sine[:, None, None].astype(np.int32)
    source_down = ((cosine * down - sine * across) >> _FRACTION_BITS) + _CENTRE
    source_across = ((sine * down + cosine * across) >> _FRACTION_BITS) + _CENTRE
    padding = rng.integers(0, 3, size=len(images))
    return _sample(images, source_down, source_across, padding)


def _sample(images: Images, down: Positions, across: Positions, padding: Integers) -> Images:
    """Bilinear samples at fixed-point positions n x 48 x 48."""
    pixels = images.reshape(-1)
    start = (np.arange(len(images), dtype=np.int32) * IMAGE_SIZE_PX**2)[:, None, None]
    rows, columns = _neighbours(down, padding), _neighbours(across, padding)
    total = np.zeros(down.shape, dtype=np.int32)
    for row, row_weight in zip(rows, _weights(down), strict=True):
        for column, column_weight in zip(columns, _weights(across), strict=True):
            total += row_weight * column_weight * pixels[start + row * IMAGE_SIZE_PX + column]
    return (total >> (2 * _FRACTION_BITS)).astype(np.uint8)


def _weights(position: Positions) -> tuple[Positions, Positions]:
    """Weights of the pixel before and the pixel after each position; their sum is 256."""
    after = position & (_ONE - 1)
    return _ONE - after, after


def _neighbours(position: Positions, padding: Integers) -> tuple[Positions, Positions]:
    """The pixel before and the pixel after each position."""
    before = position >> _FRACTION_BITS
    return _inside(before, padding), _inside(before + 1, padding)


def _inside(pixel: Positions, padding: Integers) -> Positions:
    """Map pixels beyond the border into the image: edge (0), mirror (1) or repeat (2)."""
    last = IMAGE_SIZE_PX - 1
    found = np.clip(pixel, 0, last)
    mirror, repeat = padding == 1, padding == 2
    found[mirror] = last - np.abs(last - pixel[mirror] % (2 * last))
    found[repeat] = pixel[repeat] % IMAGE_SIZE_PX
    return found
