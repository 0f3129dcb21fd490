"""Average grey values of face images, standardised per image.

N images, uint8 N x 48 x 48.
"""

import numpy as np
import numpy.typing as npt

from fer_models.dataset.image_format import THUMBNAIL_PX, Pixels

Features = npt.NDArray[np.float64]

_CELLS = 12
_MIN_CONTRAST = 8.0  # grey values; images with less contrast are not amplified further
_BLOCK = 4096


def brightness_features(images: Pixels) -> Features:
    """Average grey values N x 144 of cells of 4 x 4 pixels, standardised per image."""
    cells = np.empty((len(images), _CELLS * _CELLS), dtype=np.float64)
    side = THUMBNAIL_PX // _CELLS
    for start in range(0, len(images), _BLOCK):
        block = images[start : start + _BLOCK].astype(np.int64)
        sums = block.reshape(len(block), _CELLS, side, _CELLS, side).sum(axis=(2, 4))
        cells[start : start + len(block)] = sums.reshape(len(block), -1) / side**2
    cells -= cells.mean(axis=1, keepdims=True)
    features: Features = cells / np.maximum(cells.std(axis=1, keepdims=True), _MIN_CONTRAST)
    return features
