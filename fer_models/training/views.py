"""The views of an image whose mean opinion predicts it (test-time augmentation).

Images are float N x 1 x H x W on the 0..1 grey scale.
"""

from collections.abc import Iterator

from torch import Tensor
from torch.nn import functional

_SHIFT_PX = 2


def views(images: Tensor, test_time: str) -> Iterator[Tensor]:
    """The images as they are; for `flip` also mirrored; for `crops` ten views.

    The ten views are the picture and four pictures moved by 2 px towards the corners (the border
    repeated), and the mirror images of these five.
    """
    for picture in _crops(images) if test_time == "crops" else (images,):
        yield picture
        if test_time != "none":
            yield picture.flip(-1)


def _crops(images: Tensor) -> Iterator[Tensor]:
    height, width = images.shape[-2:]
    wide = functional.pad(images, (_SHIFT_PX,) * 4, mode="replicate")
    far = 2 * _SHIFT_PX
    for top, left in ((_SHIFT_PX, _SHIFT_PX), (0, 0), (0, far), (far, 0), (far, far)):
        yield wide[..., top : top + height, left : left + width]
