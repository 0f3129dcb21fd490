"""The views of an image whose mean prediction is used (test-time augmentation).

Images are float N x 1 x H x W on the 0..1 grey scale.
"""

import math
from collections.abc import Iterator

from torch import Tensor
from torch.nn import functional

_SHIFT_PX = 2
_TURN_DEG = 6.0
_ZOOM = 0.06


def tta_views(images: Tensor, tta: str) -> Iterator[Tensor]:
    """The views of the images that `tta` names, one batch a view.

    `none` is the images alone; every other kind adds the mirror image of each view. `ten_crop` adds
    four copies shifted by 2 px towards the corners (border repeated): 10 views. `affine` adds to
    these four copies rotated by 6 degrees either way and scaled by 6 % up or down (border
    reflected): 18 views.
    """
    for picture in _pictures(images, tta):
        yield picture
        if tta != "none":
            yield picture.flip(-1)


def _pictures(images: Tensor, tta: str) -> Iterator[Tensor]:
    if tta not in ("ten_crop", "affine"):
        yield images
        return
    yield from _ten_crop(images)
    if tta == "affine":
        yield from _affine(images)


def _ten_crop(images: Tensor) -> Iterator[Tensor]:
    height, width = images.shape[-2:]
    wide = functional.pad(images, (_SHIFT_PX,) * 4, mode="replicate")
    far = 2 * _SHIFT_PX
    for top, left in ((_SHIFT_PX, _SHIFT_PX), (0, 0), (0, far), (far, 0), (far, far)):
        yield wide[..., top : top + height, left : left + width]


def _affine(images: Tensor) -> Iterator[Tensor]:
    turn = math.radians(_TURN_DEG)
    for angle in (-turn, turn):
        for zoom in (1 - _ZOOM, 1 + _ZOOM):
            cos, sin = math.cos(angle) / zoom, math.sin(angle) / zoom
            matrix = images.new_tensor([[cos, -sin, 0.0], [sin, cos, 0.0]])
            grid = functional.affine_grid(
                matrix.expand(len(images), 2, 3), list(images.shape), align_corners=False
            )
            yield functional.grid_sample(
                images, grid, mode="bilinear", padding_mode="reflection", align_corners=False
            )
