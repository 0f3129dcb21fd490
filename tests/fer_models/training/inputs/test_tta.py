import numpy as np
import pytest
import torch
from torch import nn

from fer_models.labels import CLASS_NAMES
from fer_models.training.inputs.data import Preprocessing
from fer_models.training.inputs.tta import tta_views
from fer_models.training.predict import predict_probabilities


@pytest.mark.parametrize(
    ("tta", "num"), [("none", 1), ("flip", 2), ("ten_crop", 10), ("affine", 18)]
)
def test_views_have_the_images_shape_and_start_with_the_image(tta: str, num: int) -> None:
    images = torch.rand(3, 1, 48, 48)
    views = list(tta_views(images, tta))
    assert len(views) == num
    assert all(view.shape == images.shape for view in views)
    assert torch.equal(views[0], images)


def test_ten_crop_shifts_the_image_by_two_pixels_and_mirrors_it() -> None:
    images = torch.rand(2, 1, 48, 48)
    views = list(tta_views(images, "ten_crop"))
    for view in views[::2]:
        down, across = next(
            (down, across)
            for down in (-2, 0, 2)
            for across in (-2, 0, 2)
            if torch.equal(
                view[..., 4:-4, 4:-4], images.roll((down, across), (2, 3))[..., 4:-4, 4:-4]
            )
        )
        assert abs(down) == abs(across)
    for plain, mirrored in zip(views[::2], views[1::2], strict=True):
        assert torch.equal(plain.flip(-1), mirrored)


def test_affine_rotates_and_scales_about_the_centre() -> None:
    # A vertical bar from the middle upwards, 20 px long.
    images = torch.zeros(1, 1, 48, 48)
    images[..., 4:24, 23:25] = 1
    ten_crop, affine = list(tta_views(images, "ten_crop")), list(tta_views(images, "affine"))
    assert all(torch.equal(a, b) for a, b in zip(ten_crop, affine[: len(ten_crop)], strict=True))
    columns, rows = torch.arange(48.0), torch.arange(48.0)
    tips, heights = [], []
    for view in affine[len(ten_crop) :: 2]:
        light = view[0, 0] / view.sum()
        assert (light.sum(0) * columns).sum() == pytest.approx(23.5, abs=1.6)
        tips.append(float((light.sum(0) * columns).sum()) - 23.5)
        heights.append(23.5 - float((light.sum(1) * rows).sum()))
    # The centre of the bar is 10 px above that of the image; rotated by 6 degrees, 1 px beside it.
    assert sorted(round(abs(tip)) for tip in tips) == [1, 1, 1, 1]
    assert tips[0] * tips[2] < 0 < tips[0] * tips[1]
    assert heights[1] / heights[0] == pytest.approx(1.06 / 0.94, rel=0.03)


class _LeftRight(nn.Module):
    """Its logits depend only on which half of the image is brighter."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        difference = images[..., :24].mean((1, 2, 3)) - images[..., 24:].mean((1, 2, 3))
        logits = torch.zeros(len(images), 7)
        logits[:, 0] = difference
        return logits


def test_flip_predicts_an_image_and_its_mirror_image_equally() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 48, 48), dtype=np.uint8)
    images[:, :, :24] //= 2
    preprocessing = Preprocessing(
        image_size_px=48, in_channels=1, mean=0.5, std=0.25, classes=list(CLASS_NAMES)
    )
    mirrored = np.ascontiguousarray(images[:, :, ::-1])
    one_view = [predict_probabilities(_LeftRight(), preprocessing, i) for i in (images, mirrored)]
    assert np.abs(one_view[0] - one_view[1]).max() > 0.05
    preprocessing["tta"] = "flip"
    both = [predict_probabilities(_LeftRight(), preprocessing, i) for i in (images, mirrored)]
    np.testing.assert_allclose(both[0], both[1], atol=1e-6)
    np.testing.assert_allclose(both[0].sum(1), 1, atol=1e-6)
