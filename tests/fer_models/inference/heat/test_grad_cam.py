"""Heat maps lie where a network's score comes from, for every kind of network."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fer_models.inference.heat.grad_cam import grad_cam
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_empty_network
from fer_models.training.inputs.data import Preprocessing

CLASSES = ["dark", "bright"]
PREPROCESSING = Preprocessing(image_size_px=48, in_channels=1, mean=0.0, std=1.0, classes=CLASSES)


class PatchNetwork(nn.Module):
    """Scores the mean of 8 x 8 patches: class 1 for bright ones, class 0 for dark ones."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 2, 6, stride=6)
        with torch.no_grad():
            self.patches.weight.copy_(torch.tensor([-1.0, 1.0])[:, None, None, None] / 36)
            self.patches.bias.copy_(torch.tensor([1.0, 0.0]))
        self.activation = nn.ReLU(inplace=True)

    def forward(self, images: Tensor) -> Tensor:
        return self.activation(self.patches(images)).mean((2, 3))


def image_with_bright_corner() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    image = np.zeros((1, 48, 48), dtype=np.uint8)
    image[0, :12, 36:] = 255
    return image


def test_the_heat_is_where_the_class_is_seen() -> None:
    image = image_with_bright_corner()
    heat = grad_cam(PatchNetwork().eval(), PREPROCESSING, image, np.array([1]))
    assert heat is not None
    assert heat.shape == (1, 48, 48)
    assert heat[0, :10, 38:].min() > 0.8
    assert heat[0, 24:, :].max() < 0.05
    dark = grad_cam(PatchNetwork().eval(), PREPROCESSING, image, np.array([0]))
    assert dark is not None
    assert dark[0, :10, 38:].max() < 0.2
    assert dark[0, 24:, :].min() > 0.9


def test_the_heat_is_that_of_the_papers_formula() -> None:
    config = NetworkConfig(name="compact_cnn")
    torch.manual_seed(0)
    network = build_empty_network(config, 2).eval()
    images = np.random.default_rng(0).integers(0, 255, (3, 48, 48), dtype=np.uint8)
    labels = np.array([0, 1, 1])
    heat = grad_cam(network, PREPROCESSING, images, labels)
    assert heat is not None
    kept: list[Tensor] = []
    layer = network.get_submodule("stages.2.pooled.0")  # the last maps of at least 4 x 4
    layer.register_forward_hook(lambda _m, _i, maps: kept.append(maps.clone()) or kept[-1])
    logits = network(torch.as_tensor(images)[:, None].float() / 255)
    (gradient,) = torch.autograd.grad(logits[np.arange(3), labels].sum(), kept[0])
    weighted = (gradient.mean((2, 3), keepdim=True) * kept[0]).sum(1, keepdim=True).detach()
    expected = functional.relu(weighted)
    small = functional.interpolate(torch.as_tensor(heat)[:, None], expected.shape[2:], mode="area")
    for ours, reference in zip(small, expected, strict=True):
        pair = np.stack([ours.numpy().ravel(), reference.numpy().ravel()])
        assert pair[0].any() == (pair[1].max() > 1e-9)
        if pair[1].max() > 1e-9:
            assert np.corrcoef(pair)[0, 1] > 0.8


@pytest.mark.parametrize(
    ("name", "size_px"),
    [("scratch_cnn", 48), ("dlib_resnet", 96), ("resnet10t", 64), ("visformer_tiny", 64)],
)
def test_convolutional_networks_have_heat_maps_of_the_images_size(name: str, size_px: int) -> None:
    config = NetworkConfig(name=name, image_size_px=size_px)
    network = build_empty_network(config, 2).eval()
    images = np.random.default_rng(0).integers(0, 255, (2, 48, 48), dtype=np.uint8)
    preprocessing = Preprocessing(**{**PREPROCESSING, "image_size_px": size_px})
    heat = grad_cam(network, preprocessing, images, np.array([0, 1]))
    assert heat is not None
    assert heat.shape == images.shape
    assert 0 <= heat.min() <= heat.max() <= 1


@pytest.mark.parametrize("name", ["scratch_mlp", "vit_tiny_patch16_224"])
def test_networks_without_feature_maps_have_none(name: str) -> None:
    network = build_empty_network(NetworkConfig(name=name), 2).eval()
    image = image_with_bright_corner()
    assert grad_cam(network, PREPROCESSING, image, np.array([1])) is None
