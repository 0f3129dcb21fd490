"""The views of an image whose mean opinion predicts it (test-time augmentation).

Images are float N x 1 x H x W on the 0..1 grey scale.
"""

import math
from collections.abc import Iterator

from torch import Tensor
from torch.nn import functional

_SHIFT_PX = 2
_TURN_DEG = 6.0
_ZOOM = 0.06


def views(images: Tensor, test_time: str) -> Iterator[Tensor]:
    """The images as they are, and what `test_time` adds; but for `none`, each also mirrored.

    `crops` adds four pictures moved by 2 px towards the corners (the border repeated): ten views.
    `warps` adds to these four that are turned by 6 degrees to either side and 6 % smaller or larger
    (the border reflected): 18 views.
    """
    for picture in _pictures(images, test_time):
        yield picture
        if test_time != "none":
            yield picture.flip(-1)


def _pictures(images: Tensor, test_time: str) -> Iterator[Tensor]:
    if test_time not in ("crops", "warps"):
        yield images
        return
    yield from _crops(images)
    if test_time == "warps":
        yield from _warps(images)


def _crops(images: Tensor) -> Iterator[Tensor]:
    height, width = images.shape[-2:]
    wide = functional.pad(images, (_SHIFT_PX,) * 4, mode="replicate")
    far = 2 * _SHIFT_PX
    for top, left in ((_SHIFT_PX, _SHIFT_PX), (0, 0), (0, far), (far, 0), (far, far)):
        yield wide[..., top : top + height, left : left + width]


def _warps(images: Tensor) -> Iterator[Tensor]:
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
