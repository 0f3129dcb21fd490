"""Image statistics of faces, one value an image.

N images, uint8 N x H x W.
"""

import numpy as np
import numpy.typing as npt

from fer_models.dataset.image_sharpness import sharpness
from fer_models.dataset.image_stats import grey_sums
from fer_models.dataset.snapshot import Images

Floats = npt.NDArray[np.float64]

# Name -> what it is, with its unit; in the order of the report.
STATISTICS = {
    "brightness": "mean grey value, 0 to 255",
    "contrast": "standard deviation of the grey values, 0 to 127.5",
    "sharpness": "standard deviation of the Laplacian, grey values",
    "clipped": "share of pixels that are black (0) or white (255)",
}
_BLOCK = 1024


def image_statistics(images: Images) -> dict[str, Floats]:
    """The values of every statistic in `STATISTICS`, N each.

    Example:
        image_statistics(snapshot.thumbnails)["brightness"].mean()
    """
    sums = grey_sums(images)
    starts = range(0, len(images), _BLOCK)
    blocks = [np.asarray(images[start : start + _BLOCK]) for start in starts]
    empty = [np.zeros(0)]
    return {
        "brightness": sums.mean,
        "contrast": sums.std,
        "sharpness": sharpness(images),
        "clipped": np.concatenate(empty + [_clipped(block) for block in blocks]),
    }


def _clipped(block: Images) -> Floats:
    share: Floats = ((block == 0) | (block == 255)).mean(axis=(1, 2))
    return share
