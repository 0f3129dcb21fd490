"""Weight bundles: a trained network or ensemble in two small files, usable without a store.

`<name>.safetensors` contains the weights in half precision, `<name>.json` the metadata. The bundles
that ferflow ships are in `fer_models/weights/`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from fer_models.bundles.facts import (
    BundleFacts,
    EnsembleFacts,
    PreprocessingFacts,
    read_facts,
)
from fer_models.bundles.shipped import bundle_files
from fer_models.bundles.weights_file import Shapes, misfits, read_weights, weight_shapes
from fer_models.combination.stored import Combination
from fer_models.dataset.snapshot import Images
from fer_models.errors import StoreError
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_empty_network
from fer_models.models.shapes import state_shapes
from fer_models.training.inputs.data import Preprocessing, Probabilities
from fer_models.training.predict import predict_probabilities


class Bundle(NamedTuple):
    """A network in evaluation mode (float32, CPU), its preprocessing and its metadata."""

    network: nn.Module
    preprocessing: Preprocessing
    facts: BundleFacts

    def predict(self, images: Images) -> Probabilities:
        """Probabilities N x K of uint8 images N x 48 x 48."""
        return predict_probabilities(self.network, self.preprocessing, images)


class EnsembleBundle(NamedTuple):
    """The networks of an ensemble, how they are combined, and the bundle's metadata."""

    members: tuple[tuple[nn.Module, Preprocessing], ...]
    combination: Combination
    facts: EnsembleFacts

    @property
    def preprocessing(self) -> Preprocessing:
        """That of the first member: classes and image format are the same for all of them."""
        return self.members[0][1]

    def predict(self, images: Images) -> Probabilities:
        """Probabilities N x K of uint8 images N x 48 x 48."""
        parts = [predict_probabilities(*member, images) for member in self.members]
        return self.combination.predict(np.stack(parts))


def load_bundle(which: str | Path) -> Bundle:
    """Load a shipped network by name, or the bundle of any network by one of its two files.

    Raises:
        StoreError: the bundle is missing, its weights don't match the metadata, its class order
            differs, its network is unknown to this version, or it is an ensemble.

    Example:
        network, preprocessing, facts = load_bundle("face_cnn")
        facts.accuracy["validation"].accuracy
        predict_probabilities(network, preprocessing, images)  # uint8 N x 48 x 48 -> N x K
    """
    loaded = load_any_bundle(which)
    if isinstance(loaded, EnsembleBundle):
        raise StoreError(f"{which}: expected a network, got an ensemble; use load_any_bundle")
    return loaded


def load_any_bundle(which: str | Path) -> Bundle | EnsembleBundle:
    """Load the bundle of a network or of an ensemble.

    Raises:
        StoreError: the bundle is missing, its weights don't match the metadata, its class order
            differs, or a network is unknown to this version.

    Example:
        load_any_bundle("bundles/small.json").predict(images)  # uint8 N x 48 x 48 -> N x K
    """
    from safetensors.torch import load

    facts_file, weights_file = bundle_files(which)
    facts = read_facts(facts_file)
    weights = read_weights(weights_file, facts)
    _check_fit(weight_shapes(weights, weights_file), facts, str(weights_file))
    tensors, where = load(weights), str(weights_file)
    if isinstance(facts, BundleFacts):
        network = full_network(facts.member.network, tensors, where, len(facts.classes))
        return Bundle(network, _preprocessing(facts.preprocessing), facts)
    members = []
    for number, one in enumerate(facts.members):
        own = member_tensors(tensors, number)
        network = full_network(one.member.network, own, where, len(facts.classes))
        members.append((network, _preprocessing(one.preprocessing)))
    return EnsembleBundle(tuple(members), facts.combination, facts)


def prefixed_tensors(number: int, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a member, by their names in the file of an ensemble."""
    return {f"{number}.{name}": value for name, value in tensors.items()}


def member_tensors(tensors: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    """The weights of a member of an ensemble, the inverse of `prefixed_tensors`."""
    prefix = f"{number}."
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def half_weights(network: nn.Module) -> dict[str, Tensor]:
    """The network's state dict, floats rounded to half precision.

    Raises:
        StoreError: a weight exceeds the half-precision range, or is not finite.
    """
    halves = {name: _half(value).cpu().contiguous() for name, value in network.state_dict().items()}
    invalid = [name for name, value in halves.items() if not bool(torch.isfinite(value).all())]
    if invalid:
        raise StoreError(
            "expected finite weights of at most 65504, the range of half precision; got others in "
            f"{', '.join(invalid)}; train the network again"
        )
    return halves


def full_network(
    config: NetworkConfig, weights: Mapping[str, Tensor], where: str, num_classes: int
) -> nn.Module:
    """The network with weights of any precision, in float32 and evaluation mode.

    Raises:
        StoreError: the weights do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        network = build_empty_network(config, num_classes)
    try:
        network.load_state_dict({name: _full(value) for name, value in weights.items()})
    except RuntimeError as error:
        raise StoreError(
            f"{where}: the weights do not fit the network {config.name} of this version "
            f"({str(error).splitlines()[0]}); use a bundle exported by this version"
        ) from error
    return network.to(memory_format=torch.channels_last).eval()


def _check_fit(found: Shapes, facts: BundleFacts | EnsembleFacts, where: str) -> None:
    """Compare names and shapes of the weights with those of the networks, before any is built.

    A network that is far larger than the file would otherwise be built for minutes.
    """
    if isinstance(facts, BundleFacts):
        members = {"": facts.member}
    else:
        members = {f"{number}.": one.member for number, one in enumerate(facts.members)}
    expected: dict[str, tuple[int, ...]] = {}
    for prefix, member in members.items():
        shapes = state_shapes(member.network, len(facts.classes))
        expected |= {f"{prefix}{name}": shape for name, shape in shapes.items()}
    problems = misfits(expected, found)
    if problems:
        names = ", ".join(dict.fromkeys(member.network.name for member in members.values()))
        raise StoreError(
            f"{where}: the weights do not fit the network {names} of this version; use a bundle "
            "exported by this version",
            problems,
        )


def _preprocessing(facts: PreprocessingFacts) -> Preprocessing:
    return cast("Preprocessing", facts.model_dump(exclude_defaults=True))


def _half(value: Tensor) -> Tensor:
    return value.half() if value.is_floating_point() else value


def _full(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
