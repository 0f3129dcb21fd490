"""Weight bundles: a trained network in two small files, usable without a store.

`<name>.safetensors` contains the weights in half precision, `<name>.json` the metadata. The bundles
that ferflow ships are in `fer_models/weights/`.
"""

import hashlib
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from fer_models.base_config import FrozenConfig
from fer_models.errors import StoreError
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_empty_network
from fer_models.training.inputs.data import Preprocessing

WEIGHTS_SUFFIX = ".safetensors"
FACTS_SUFFIX = ".json"
NAME_PATTERN = r"^[a-z0-9][a-z0-9_.-]*$"
_SHIPPED: Traversable = resources.files("fer_models") / "weights"
_INSTEAD = "train a network and pass its id, or export one with `ferflow models export`"


class MeasuredAccuracy(FrozenConfig):
    """Accuracy, 0..1, on `n` images."""

    accuracy: float = Field(ge=0, le=1)
    n: int = Field(ge=1)


class PreprocessingFacts(BaseModel):
    """The required fields of a `Preprocessing`; others are allowed."""

    model_config = ConfigDict(frozen=True, extra="allow")
    image_size_px: int
    in_channels: int
    mean: float
    std: float
    classes: list[str]


class MemberFacts(BaseModel):
    """The `MemberConfig` of the training: only the network must be valid in this version."""

    model_config = ConfigDict(frozen=True, extra="allow")
    name: str
    network: NetworkConfig


class BundleFacts(FrozenConfig):
    """The content of `<name>.json`: metadata of the weights."""

    name: str = Field(pattern=NAME_PATTERN)
    member: MemberFacts
    preprocessing: PreprocessingFacts
    classes: list[str]
    weights_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    command: str
    """The command that trained the network; empty if unknown."""
    seed: int
    train_seconds: float
    machine: str
    date: str
    """Day of the export, such as 2026-11-24."""
    accuracy: dict[str, MeasuredAccuracy]
    """By evaluation set: `validation`, `validation_unseen`, ..."""
    snapshot_id: str
    """The dataset it was trained on."""
    ferflow: str
    """The ferflow version of the training."""

    @property
    def validation_accuracy(self) -> float:
        """The validation accuracy; -1 if it was not measured."""
        measured = self.accuracy.get("validation")
        return measured.accuracy if measured else -1.0


class Bundle(NamedTuple):
    """A network in evaluation mode (float32, CPU), its preprocessing and its metadata."""

    network: nn.Module
    preprocessing: Preprocessing
    facts: BundleFacts


def bundled_names() -> list[str]:
    """The names of the bundles that ferflow ships, sorted."""
    if not _SHIPPED.is_dir():
        return []
    files = {entry.name for entry in _SHIPPED.iterdir()}
    names = (name.removesuffix(FACTS_SUFFIX) for name in files if name.endswith(FACTS_SUFFIX))
    return sorted(name for name in names if name + WEIGHTS_SUFFIX in files)


def default_bundle() -> str:
    """The name of the shipped bundle with the highest validation accuracy.

    Raises:
        StoreError: none is shipped, or the metadata of one is damaged.
    """
    names = bundled_names()
    if not names:
        raise StoreError(f"this version of ferflow ships no weights; {_INSTEAD}")
    facts = [_read_facts(_SHIPPED / f"{name}{FACTS_SUFFIX}") for name in names]
    best = max(range(len(names)), key=lambda number: facts[number].validation_accuracy)
    return names[best]


def load_bundle(which: str | Path) -> Bundle:
    """Load a shipped bundle by name, or any bundle by the path of one of its two files.

    Raises:
        StoreError: the bundle is missing, its weights don't match the metadata, its class order
            differs, or its network is unknown to this version.

    Example:
        network, preprocessing, facts = load_bundle("face_cnn")
        facts.accuracy["validation"].accuracy
        predict_probabilities(network, preprocessing, images)  # uint8 N x 48 x 48 -> N x K
    """
    facts_file, weights_file = _files(which)
    facts = _read_facts(facts_file)
    weights = _read(weights_file)
    found = hashlib.sha256(weights).hexdigest()
    if found != facts.weights_sha256:
        raise StoreError(
            f"{weights_file}: expected weights with the sha256 {facts.weights_sha256[:12]}..., got "
            f"{found[:12]}...; the file is damaged or from another bundle; copy both files again"
        )
    network = _network(facts.member.network, weights, str(weights_file), len(facts.classes))
    return Bundle(network, cast("Preprocessing", facts.preprocessing.model_dump()), facts)


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


def _network(config: NetworkConfig, weights: bytes, where: str, num_classes: int) -> nn.Module:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(weights)
    except SafetensorError as error:
        raise StoreError(f"{where}: expected safetensors weights ({error})") from error
    return full_network(config, tensors, where, num_classes)


def _files(which: str | Path) -> tuple[Traversable, Traversable]:
    """The metadata file and the weights file of a bundle."""
    if isinstance(which, Path) or which.endswith((FACTS_SUFFIX, WEIGHTS_SUFFIX)):
        path = Path(which)
        return path.with_suffix(FACTS_SUFFIX), path.with_suffix(WEIGHTS_SUFFIX)
    names = bundled_names()
    if which not in names:
        raise StoreError(
            f"expected a shipped bundle ({', '.join(names) or 'there are none'}), got {which!r}; "
            "choose one of them, or give the path of a bundle's .json file"
        )
    return _SHIPPED / f"{which}{FACTS_SUFFIX}", _SHIPPED / f"{which}{WEIGHTS_SUFFIX}"


def _read_facts(file: Traversable) -> BundleFacts:
    try:
        facts = BundleFacts.model_validate_json(_read(file))
    except ValidationError as error:
        raise StoreError(
            f"{file}: expected the metadata of a weight bundle; copy it again, or use a bundle of "
            "this version",
            [_problem_text(problem) for problem in error.errors(include_url=False)],
        ) from error
    if len(set(facts.classes)) < 2 or facts.classes != facts.preprocessing.classes:
        raise StoreError(
            f"{file}: expected the same two or more classes in `classes` and `preprocessing`, got "
            f"{', '.join(facts.classes) or 'none'} and "
            f"{', '.join(facts.preprocessing.classes) or 'none'}; predictions would get wrong "
            "labels; export the network again"
        )
    return facts


def _problem_text(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else str(problem["msg"])


def _read(file: Traversable) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise StoreError(
            f"{file}: can't read this file of a weight bundle ({error.strerror}); a bundle is "
            f"<name>{FACTS_SUFFIX} and <name>{WEIGHTS_SUFFIX} in the same folder"
        ) from error


def _half(value: Tensor) -> Tensor:
    return value.half() if value.is_floating_point() else value


def _full(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
