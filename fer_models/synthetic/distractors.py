"""Planted images without a face: blank ones, and textures, text-like bars and shapes.

N images, uint8 N x 48 x 48. Only exact arithmetic is used, so they are the same on every machine.
"""

import numpy as np

from fer_models.dataset.snapshot import IMAGE_SIZE_PX, Images
from fer_models.synthetic.action_units import Integers

_BLANK_GRAIN = (
    2  # number of grey values: the level and the next one, for a standard deviation of 0.5
)


def draw_blank(count: int, rng: np.random.Generator) -> Images:
    """Draw blank images: a grey level each, with minimal grain so that no two are equal."""
    level = rng.integers(0, 256 - _BLANK_GRAIN, size=(count, 1, 1))
    grain = rng.integers(0, _BLANK_GRAIN, size=(count, IMAGE_SIZE_PX, IMAGE_SIZE_PX))
    return (level + grain).astype(np.uint8)


def draw_non_faces(count: int, rng: np.random.Generator) -> Images:
    """Draw images of other things, alternating between textures, lines of text and shapes."""
    kinds = (_texture, _text, _shapes)
    plain = [kinds[number % len(kinds)](rng) for number in range(count)]
    if not plain:
        return np.empty((0, IMAGE_SIZE_PX, IMAGE_SIZE_PX), dtype=np.uint8)
    grain = rng.integers(-9, 10, size=(count, IMAGE_SIZE_PX, IMAGE_SIZE_PX))
    images: Images = np.clip(np.stack(plain) + grain, 0, 255).astype(np.uint8)
    return images


def _texture(rng: np.random.Generator) -> Integers:
    """A sum of random squares in several sizes, like foliage or cloth."""
    total = np.zeros((IMAGE_SIZE_PX, IMAGE_SIZE_PX), dtype=np.int64)
    for cell_px in (2, 4, 8, 16):
        cells = IMAGE_SIZE_PX // cell_px
        values = rng.integers(0, 64, size=(cells, cells))
        total += np.repeat(np.repeat(values, cell_px, axis=0), cell_px, axis=1)
    return total


def _text(rng: np.random.Generator) -> Integers:
    """Rows of short dark bars on a light page."""
    page = np.full((IMAGE_SIZE_PX, IMAGE_SIZE_PX), int(rng.integers(170, 256)), dtype=np.int64)
    line_px = int(rng.integers(5, 10))
    for top in range(2, IMAGE_SIZE_PX - line_px, line_px):
        left = 3
        while left < IMAGE_SIZE_PX - 4:
            width = int(rng.integers(1, 4))
            height = int(rng.integers(2, line_px - 1))
            page[top : top + height, left : left + width] = int(rng.integers(0, 90))
            left += width + int(rng.integers(1, 4))
    return page


def _shapes(rng: np.random.Generator) -> Integers:
    """A few boxes and discs."""
    scene = np.full((IMAGE_SIZE_PX, IMAGE_SIZE_PX), int(rng.integers(0, 256)), dtype=np.int64)
    down, across = np.mgrid[:IMAGE_SIZE_PX, :IMAGE_SIZE_PX]
    for _ in range(int(rng.integers(2, 6))):
        y, x = (int(value) for value in rng.integers(0, IMAGE_SIZE_PX, size=2))
        size = int(rng.integers(4, 18))
        if rng.random() < 0.5:
            inside = (np.abs(down - y) < size) & (np.abs(across - x) < size)
        else:
            inside = (down - y) ** 2 + (across - x) ** 2 < size * size
        scene[inside] = int(rng.integers(0, 256))
    return scene
