import numpy as np
import pytest
import torch
from torch import nn

from fer_models.labels import CLASS_NAMES
from fer_models.training.data import Preprocessing
from fer_models.training.predict import predict_probabilities
from fer_models.training.views import views


@pytest.mark.parametrize(
    ("test_time", "num"), [("none", 1), ("flip", 2), ("crops", 10), ("warps", 10)]
)
def test_views_have_the_pictures_shape_and_begin_with_it(test_time: str, num: int) -> None:
    images = torch.rand(3, 1, 48, 48)
    seen = list(views(images, test_time))
    assert len(seen) == num
    assert all(view.shape == images.shape for view in seen)
    assert torch.equal(seen[0], images)


def test_crops_are_the_picture_moved_by_two_pixels_and_mirrored() -> None:
    images = torch.rand(2, 1, 48, 48)
    seen = list(views(images, "crops"))
    for view in seen[::2]:
        down, across = next(
            (down, across)
            for down in (-2, 0, 2)
            for across in (-2, 0, 2)
            if torch.equal(
                view[..., 4:-4, 4:-4], images.roll((down, across), (2, 3))[..., 4:-4, 4:-4]
            )
        )
        assert abs(down) == abs(across)
    for plain, mirrored in zip(seen[::2], seen[1::2], strict=True):
        assert torch.equal(plain.flip(-1), mirrored)


def test_warps_are_the_picture_turned_and_zoomed_as_torchvision_does_it() -> None:
    from torchvision.transforms import v2

    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    smooth = (0.5 + 0.4 * torch.sin(rows / 9) * torch.cos(columns / 7))[None, None]
    seen = list(views(smooth, "warps"))
    changes = [(0, 1.0), (6, 1.0), (-6, 1.0), (0, 0.92), (0, 1.08)]
    for view, (degrees, zoom) in zip(seen[::2], changes, strict=True):
        expected = v2.functional.affine(
            smooth, degrees, [0, 0], zoom, [0.0], interpolation=v2.InterpolationMode.BILINEAR
        )
        inside = (..., slice(6, -6), slice(6, -6))
        torch.testing.assert_close(view[inside], expected[inside], atol=5e-3, rtol=0)
    for plain, mirrored in zip(seen[::2], seen[1::2], strict=True):
        assert torch.equal(plain.flip(-1), mirrored)


class _LeftRight(nn.Module):
    """Sees only whether the left or the right half is lighter."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        difference = images[..., :24].mean((1, 2, 3)) - images[..., 24:].mean((1, 2, 3))
        logits = torch.zeros(len(images), 7)
        logits[:, 0] = difference
        return logits


def test_a_mirrored_image_is_predicted_alike_with_flip() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 48, 48), dtype=np.uint8)
    images[:, :, :24] //= 2
    preprocessing = Preprocessing(
        image_size_px=48, in_channels=1, mean=0.5, std=0.25, classes=list(CLASS_NAMES)
    )
    mirrored = np.ascontiguousarray(images[:, :, ::-1])
    one_view = [predict_probabilities(_LeftRight(), preprocessing, i) for i in (images, mirrored)]
    assert np.abs(one_view[0] - one_view[1]).max() > 0.05
    preprocessing["test_time"] = "flip"
    both = [predict_probabilities(_LeftRight(), preprocessing, i) for i in (images, mirrored)]
    np.testing.assert_allclose(both[0], both[1], atol=1e-6)
    np.testing.assert_allclose(both[0].sum(1), 1, atol=1e-6)
