"""Views of an image for test-time augmentation (TTA): the prediction is the mean over them.

Images are float N x 1 x H x W on the 0..1 grey scale.
"""

import math
from collections.abc import Iterator

from torch import Tensor
from torch.nn import functional

SHIFT_PX = 2
"""Of the shifted crops."""
CROPS = ((SHIFT_PX, SHIFT_PX), (0, 0), (0, 2 * SHIFT_PX), (2 * SHIFT_PX, 0), (2 * SHIFT_PX,) * 2)
"""Top and left of each crop in the padded image, in the order of the views."""
NUM_VIEWS = {"none": 1, "flip": 2, "ten_crop": 10, "affine": 18}
"""Number of views by kind. The views of a kind are the first of the next kind."""
_ROTATION_DEG = 6.0
_SCALE = 0.06


def tta_views(images: Tensor, tta: str) -> Iterator[Tensor]:
    """Yield the views named by `tta`, each as a batch of all images.

    `none` yields the images only; every other kind also yields the mirror image of each view.
    `ten_crop` has five crops of the padded image, the original and four shifted by 2 px to the
    corners (border repeated): 10 views. `affine` adds four copies, rotated by +-6 degrees and
    scaled by +-6 % (border reflected): 18 views.

    torchvision's ten_crop yields the same crops in another order, which changes the last digits of
    the mean.
    """
    for view in _unmirrored_views(images, tta):
        yield view
        if tta != "none":
            yield view.flip(-1)


def _unmirrored_views(images: Tensor, tta: str) -> Iterator[Tensor]:
    if tta not in ("ten_crop", "affine"):
        yield images
        return
    yield from _ten_crop(images)
    if tta == "affine":
        yield from _affine(images)


def affine_matrices() -> Iterator[list[list[float]]]:
    """Yield the 2 x 3 matrices of the rotated and scaled copies, as `affine_grid` takes them."""
    rotation = math.radians(_ROTATION_DEG)
    for angle in (-rotation, rotation):
        for scale in (1 - _SCALE, 1 + _SCALE):
            cos, sin = math.cos(angle) / scale, math.sin(angle) / scale
            yield [[cos, -sin, 0.0], [sin, cos, 0.0]]


def _ten_crop(images: Tensor) -> Iterator[Tensor]:
    height, width = images.shape[-2:]
    padded = functional.pad(images, (SHIFT_PX,) * 4, mode="replicate")
    for top, left in CROPS:
        yield padded[..., top : top + height, left : left + width]


def _affine(images: Tensor) -> Iterator[Tensor]:
    for matrix in affine_matrices():
        grid = functional.affine_grid(
            images.new_tensor(matrix).expand(len(images), 2, 3),
            list(images.shape),
            align_corners=False,
        )
        yield functional.grid_sample(
            images, grid, mode="bilinear", padding_mode="reflection", align_corners=False
        )
