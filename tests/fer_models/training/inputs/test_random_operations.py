import cv2
import numpy as np
import pytest
import torch

from fer_models.training.inputs import random_operations as operations
from fer_models.training.inputs.random_operations import random_operations


def faces(num: int) -> torch.Tensor:
    return torch.rand(num, 1, 48, 48, generator=torch.Generator().manual_seed(0))


def changed(images: torch.Tensor, count: int, seed: int = 0) -> torch.Tensor:
    return random_operations(images, count, torch.Generator().manual_seed(seed))


def test_every_image_gets_its_own_operation() -> None:
    images = faces(1).expand(60, -1, -1, -1)
    result = changed(images, 1)
    assert result.shape == images.shape
    assert 0 <= result.min() <= result.max() <= 1
    different = len({tuple(row.flatten()[:40].tolist()) for row in result})
    assert different > 30
    torch.testing.assert_close(result, changed(images, 1))
    assert not torch.allclose(result, changed(images, 1, seed=1))


@pytest.mark.parametrize("name", operations._OPERATIONS)
def test_an_operation_of_no_strength_changes_little(name: str) -> None:
    images = faces(3) * 0.9
    kind = torch.full((3,), operations._OPERATIONS.index(name))
    weak = operations._apply(images, kind, torch.zeros(3))
    if name != "equalize":  # which has no strength
        torch.testing.assert_close(weak, images, atol=1 / 255, rtol=0)
    strong = operations._apply(images, kind, torch.full((3,), 0.9))
    assert torch.allclose(strong, images) == (name == "identity")


def test_images_are_equalized_as_by_opencv_channel_by_channel() -> None:
    levels = (faces(3) ** 3 * 255).round()
    levels[0, :, :, 24:] = 0  # a flat part stays flat
    levels[1] = 77
    colour = torch.cat([levels, levels.flip(0)], 1)
    kind = torch.full((3,), operations._OPERATIONS.index("equalize"))
    found = operations._apply(colour / 255, kind, torch.zeros(3)) * 255
    for image, equalized in zip(colour, found, strict=True):
        for channel, ours in zip(image, equalized, strict=True):
            expected = cv2.equalizeHist(channel.numpy().astype(np.uint8)).astype(np.float32)
            torch.testing.assert_close(ours, torch.from_numpy(expected), atol=0.51, rtol=0)
