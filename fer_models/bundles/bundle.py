"""Weight bundles: a trained network or ensemble in small files, usable without a store.

`<name>.safetensors` contains the weights in half precision, `<name>.json` the metadata. That of an
ensemble names the weights of each of its networks, `<name>-1.safetensors` or those of another
bundle. The bundles that ferflow ships are in `fer_models/weights/`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from fer_models.bundles.facts import (
    BundledMember,
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
from fer_models.evaluation.temperature import at_temperature
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_empty_network
from fer_models.models.shapes import state_shapes
from fer_models.training.inputs.data import Preprocessing, Probabilities
from fer_models.training.inputs.tta import NUM_VIEWS
from fer_models.training.predict import predict_probabilities


class Bundle(NamedTuple):
    """A network in evaluation mode (float32, CPU), its preprocessing and its metadata."""

    network: nn.Module
    preprocessing: Preprocessing
    facts: BundleFacts

    def predict(self, images: Images) -> Probabilities:
        """Probabilities N x K of uint8 images N x 48 x 48, at the temperature of the bundle."""
        probs_NK = predict_probabilities(self.network, self.preprocessing, images)
        temperature = self.facts.temperatures.get(NUM_VIEWS[self.preprocessing.get("tta", "none")])
        return at_temperature(probs_NK, temperature)


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
    files = bundle_files(which)
    facts = read_facts(files.facts)
    read = [(file, read_weights(file, sha256)) for file, sha256 in files.weights(facts)]
    described: Sequence[BundleFacts | BundledMember] = (
        [facts] if isinstance(facts, BundleFacts) else facts.members
    )
    for (file, weights), one in zip(read, described, strict=True):
        _check_fit(weight_shapes(weights, file), one.member.network, len(facts.classes), str(file))
    members = [
        (_network(one, weights, len(facts.classes), str(file)), _preprocessing(one.preprocessing))
        for (file, weights), one in zip(read, described, strict=True)
    ]
    if isinstance(facts, BundleFacts):
        return Bundle(*members[0], facts)
    return EnsembleBundle(tuple(members), facts.combination, facts)


def _network(
    facts: BundleFacts | BundledMember, weights: bytes, num_classes: int, where: str
) -> nn.Module:
    from safetensors.torch import load

    return full_network(facts.member.network, load(weights), where, num_classes)


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


def _check_fit(found: Shapes, network: NetworkConfig, num_classes: int, where: str) -> None:
    """Compare names and shapes of the weights with those of the network, before it is built.

    A network that is far larger than the file would otherwise be built for minutes.
    """
    problems = misfits(state_shapes(network, num_classes), found)
    if problems:
        raise StoreError(
            f"{where}: the weights do not fit the network {network.name} of this version; use a "
            "bundle exported by this version",
            problems,
        )


def _preprocessing(facts: PreprocessingFacts) -> Preprocessing:
    return cast("Preprocessing", facts.model_dump(exclude_defaults=True))


def _half(value: Tensor) -> Tensor:
    return value.half() if value.is_floating_point() else value


def _full(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
