"""Read and check the weights of a bundle; torch is not needed here."""

import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np

from fer_models.bundles.facts import read_bytes
from fer_models.errors import StoreError

MAX_SHOWN = 10
# Exponent bits of a value; all of them are set in NaN and infinity.
_EXPONENTS = {"F16": ("<u2", 0x7C00), "BF16": ("<u2", 0x7F80), "F32": ("<u4", 0x7F800000)}
Shapes = Mapping[str, tuple[int, ...]]


def read_weights(file: Traversable, sha256: str) -> bytes:
    """The content of a bundle's file of weights: those of the metadata, all of them finite.

    Raises:
        StoreError: the file is missing or damaged, belongs to another bundle, or has weights that
            are no numbers.
    """
    weights = read_bytes(file)
    found = hashlib.sha256(weights).hexdigest()
    if found != sha256:
        raise StoreError(
            f"{file}: expected weights with the sha256 {sha256[:12]}..., got {found[:12]}...; the "
            "file is damaged or from another bundle; copy all files again"
        )
    tensors = _tensors(weights, file)
    problems = [name for name, tensor in tensors if not _is_finite(tensor)]
    if problems:
        raise StoreError(
            f"{file}: expected finite weights, got NaN or infinity; predictions would be "
            "meaningless; train the network again and export it",
            shown([f"in {name}" for name in problems]),
        )
    return weights


def weight_shapes(weights: bytes, file: Traversable) -> Shapes:
    """The shape of each weight, by name.

    Raises:
        StoreError: these are no safetensors weights.
    """
    return {name: tuple(tensor["shape"]) for name, tensor in _tensors(weights, file)}


def misfits(expected: Shapes, found: Shapes) -> list[str]:
    """How weights differ from those of a network, one line each; empty if they fit."""
    lines = [f"{name} is missing" for name in expected if name not in found]
    lines += [f"{name} is not part of the network" for name in found if name not in expected]
    lines += [
        f"{name}: expected the shape {shape}, got {found[name]}"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    return shown(lines)


def shown(lines: Sequence[str]) -> list[str]:
    """At most `MAX_SHOWN` lines, and the number of further ones."""
    more = len(lines) - MAX_SHOWN
    return [*lines[:MAX_SHOWN], *([f"and {more} more"] if more > 0 else [])]


def _tensors(weights: bytes, file: Traversable) -> list[tuple[str, dict[str, Any]]]:
    from safetensors import SafetensorError, deserialize

    try:
        read: Any = deserialize
        tensors: list[tuple[str, dict[str, Any]]] = read(weights)
    except SafetensorError as error:
        raise StoreError(f"{file}: expected safetensors weights ({error})") from error
    return tensors


def _is_finite(tensor: Mapping[str, Any]) -> bool:
    if tensor["dtype"] not in _EXPONENTS:
        return True
    kind, exponent = _EXPONENTS[tensor["dtype"]]
    bits = np.frombuffer(tensor["data"], dtype=kind)
    return not bool(((bits & exponent) == exponent).any())
