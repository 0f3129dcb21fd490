"""The views of an image whose mean opinion predicts it (test-time augmentation).

Images are float N x 1 x H x W on the 0..1 grey scale.
"""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from fer_models.training.augment import sampled

_SHIFT_PX = 2
_TURN_DEG = 6.0
_ZOOM = 0.08


def views(images: Tensor, test_time: str) -> Iterator[Tensor]:
    """The images as they are; for `flip` also mirrored; for `crops` and `warps` ten views.

    The ten views of `crops` are the picture and four pictures moved by 2 px towards the corners
    (the border repeated), those of `warps` the picture, turned by 6 degrees to either side, and
    8 % smaller and larger; and the mirror images of these five.
    """
    for picture in _PICTURES.get(test_time, _as_it_is)(images):
        yield picture
        if test_time != "none":
            yield picture.flip(-1)


def _as_it_is(images: Tensor) -> Iterator[Tensor]:
    yield images


def _crops(images: Tensor) -> Iterator[Tensor]:
    height, width = images.shape[-2:]
    wide = functional.pad(images, (_SHIFT_PX,) * 4, mode="replicate")
    far = 2 * _SHIFT_PX
    for top, left in ((_SHIFT_PX, _SHIFT_PX), (0, 0), (0, far), (far, 0), (far, far)):
        yield wide[..., top : top + height, left : left + width]


def _warps(images: Tensor) -> Iterator[Tensor]:
    yield images
    for degrees, zoom in ((-_TURN_DEG, 1), (_TURN_DEG, 1), (0, 1 - _ZOOM), (0, 1 + _ZOOM)):
        angle = math.radians(degrees)
        cos, sin = math.cos(angle) / zoom, math.sin(angle) / zoom
        matrix = torch.tensor([[cos, -sin, 0], [sin, cos, 0]], device=images.device)
        yield sampled(images, matrix.expand(len(images), 2, 3))


_PICTURES: dict[str, Callable[[Tensor], Iterator[Tensor]]] = {"crops": _crops, "warps": _warps}
