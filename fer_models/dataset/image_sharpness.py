"""Sharpness of images: how much neighbouring grey values differ."""

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import Images

_IMAGES_PER_BLOCK = 128
"""So that the temporary arrays fit the processor's cache."""


def sharpness(images: Images) -> npt.NDArray[np.float64]:
    """Standard deviation of the discrete Laplacian, in grey values; low for blurred images.

    Pech-Pacheco et al. 2000.

    Example:
        sharpness(snapshot.thumbnails).argmin()

    Args:
        images: uint8 N x height x width; N may be 0.
    """
    starts = range(0, len(images), _IMAGES_PER_BLOCK)
    blocks = [_spread(np.asarray(images[start : start + _IMAGES_PER_BLOCK])) for start in starts]
    return np.concatenate([np.zeros(0), *blocks])


def _spread(block: Images) -> npt.NDArray[np.float64]:
    grey = block.astype(np.int32)
    laplacian = (
        grey[:, :-2, 1:-1]
        + grey[:, 2:, 1:-1]
        + grey[:, 1:-1, :-2]
        + grey[:, 1:-1, 2:]
        - 4 * grey[:, 1:-1, 1:-1]
    )
    spread: npt.NDArray[np.float64] = laplacian.std(axis=(1, 2))
    return spread
