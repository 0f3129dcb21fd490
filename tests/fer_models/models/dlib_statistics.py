"""Measure the statistics that `DlibResNet` starts from: `dlib_statistics.safetensors`.

    python -m tests.fer_models.models.dlib_statistics IMAGES.npy WEIGHTS_DIR OUT.safetensors

IMAGES.npy: uint8, N x 48 x 48, such as `images.npy` of a stored FER2013, whose first 28,709 images
are Training; 1,024 of them are drawn (seed 0) and resized to 96 px.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from fer_models.models.networks.dlib_resnet import DlibResNet
from fer_models.models.pretrained import dlib_weights

NUM_TRAINING = 28_709
NUM_IMAGES = 1_024
SIZE_PX = 96


def drawn_faces(images: np.ndarray) -> Tensor:
    """Images of FER2013's Training, normalised: N x 1 x 96 x 96."""
    chosen = np.random.default_rng(0).choice(NUM_TRAINING, NUM_IMAGES, replace=False)
    faces = torch.from_numpy(np.array(images[np.sort(chosen)])).float()[:, None] / 255
    mean, std = dlib_weights._FACES_MEAN, dlib_weights._FACES_STD
    return functional.interpolate(
        (faces - mean) / std, size=(SIZE_PX, SIZE_PX), mode="bilinear", antialias=True
    )


def measured(file: Path, faces: Tensor) -> dict[str, Tensor]:
    """Mean and standard deviation of every channel of every convolution without its bias."""
    network = DlibResNet(in_channels=1, num_classes=7, dropout=0.0).eval()
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    layers = [*dlib_weights.read_layers(file, convolutions)]
    layers[0] = dlib_weights._for_our_input(layers[0], 1)
    means, deviations = [], []

    def put_back(number: int, norm: nn.BatchNorm2d, features: Tensor) -> None:
        layer = layers[number]
        mean, std = features.mean((0, 2, 3)), features.std((0, 2, 3))
        means.append(mean)
        deviations.append(std)
        norm.running_mean, norm.running_var = mean, std**2
        norm.weight.copy_(layer.scale * std)
        norm.bias.copy_(layer.scale * (mean + layer.bias) + layer.shift)

    with torch.no_grad():
        for number, (convolution, norm) in enumerate(zip(convolutions, norms, strict=True)):
            convolution.weight.copy_(layers[number].filters)
            norm.register_forward_pre_hook(
                lambda norm, inputs, number=number: put_back(number, norm, inputs[0])
            )
        network(faces)
    return {"mean": torch.cat(means), "std": torch.cat(deviations)}


if __name__ == "__main__":
    images, folder, out = sys.argv[1:]
    faces = drawn_faces(np.load(images, mmap_mode="r"))
    save_file(measured(Path(folder) / dlib_weights.FILE, faces), out)
