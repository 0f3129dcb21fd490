"""The bundles that ferflow ships, and the files of any bundle; torch is not needed here."""

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

from fer_models.bundles.facts import (
    FACTS_SUFFIX,
    WEIGHTS_SUFFIX,
    BundleFacts,
    EnsembleFacts,
    WeightsFile,
    read_facts,
)
from fer_models.bundles.speed import DEFAULT_SPEED
from fer_models.errors import NotFoundError, StoreError
from fer_models.onnx_files.facts import ONNX_SUFFIX, OnnxFacts

_SHIPPED: Traversable = resources.files("fer_models") / "weights"
WANTED_ACCURACY = 0.71
"""Validation accuracy at the default speed that the default bundle should have."""
_INSTEAD = "train a network and pass its id, or export one with `ferflow models export`"


class BundleFiles(NamedTuple):
    """Where the files of a bundle are."""

    folder: Traversable
    name: str

    @property
    def facts(self) -> Traversable:
        """The file of the metadata."""
        return self.folder / f"{self.name}{FACTS_SUFFIX}"

    def weights(self, facts: BundleFacts | EnsembleFacts) -> list[tuple[Traversable, str]]:
        """The file of weights of each network, and its sha256."""
        if isinstance(facts, BundleFacts):
            files = [WeightsFile(name=f"{self.name}{WEIGHTS_SUFFIX}", sha256=facts.weights_sha256)]
        else:
            files = [member.weights for member in facts.members]
        return [(self.folder / file.name, file.sha256) for file in files]


def bundled_names() -> list[str]:
    """The names of the bundles that ferflow ships, sorted."""
    if not _SHIPPED.is_dir():
        return []
    files = [entry.name for entry in _SHIPPED.iterdir()]
    return sorted(name.removesuffix(FACTS_SUFFIX) for name in files if name.endswith(FACTS_SUFFIX))


def default_bundle() -> str:
    """The name of the shipped bundle that predicts by default.

    At the default speed, the one with the fewest multiply-adds of those that are accurate enough;
    the most accurate one if none is. Of those that cost the same, the most accurate of those that
    have not learned from the validation images: whoever has these can check it.

    Raises:
        StoreError: none is shipped, or the metadata of one is damaged.
    """
    facts = shipped_facts()
    if not facts:
        raise StoreError(f"this version of ferflow ships no weights; {_INSTEAD}")
    enough = [name for name, one in facts.items() if _accuracy(one) >= WANTED_ACCURACY]
    if not enough:
        return max(facts, key=lambda name: _accuracy(facts[name]))
    return min(enough, key=lambda name: _rank(facts[name]))


def shipped_facts() -> dict[str, BundleFacts | EnsembleFacts]:
    """The metadata of the shipped bundles by name.

    Raises:
        StoreError: the metadata of one is damaged.
    """
    return {name: read_facts(_SHIPPED / f"{name}{FACTS_SUFFIX}") for name in bundled_names()}


def _rank(facts: BundleFacts | EnsembleFacts) -> tuple[float, bool, float]:
    return _cost(facts), bool(facts.final_fit_of), -_accuracy(facts)


def _accuracy(facts: BundleFacts | EnsembleFacts) -> float:
    """Validation accuracy at the default speed; with all views if that was not measured."""
    speed = facts.speeds.get(DEFAULT_SPEED)
    measured = speed.accuracy.get("validation") if speed else None
    return measured.accuracy if measured else facts.validation_accuracy


def _cost(facts: BundleFacts | EnsembleFacts) -> float:
    speed = facts.speeds.get(DEFAULT_SPEED)
    return speed.multiply_adds if speed else float("inf")


def bundle_files(which: str | Path) -> BundleFiles:
    """The files of a shipped bundle by its name, or of any bundle by one of its two files.

    Raises:
        NotFoundError: no bundle of that name is shipped.
    """
    if isinstance(which, Path) or which.endswith((FACTS_SUFFIX, WEIGHTS_SUFFIX)):
        path = Path(which)
        return BundleFiles(path.parent, path.stem)
    names = bundled_names()
    if which not in names:
        raise NotFoundError(
            f"expected a shipped bundle ({', '.join(names) or 'there are none'}), got {which!r}; "
            "choose one of them, or give the path of a bundle's .json file"
        )
    return BundleFiles(_SHIPPED, which)


def graph_file(which: str | Path) -> Path | None:
    """The ONNX file beside a bundle; None without one.

    Raises:
        NotFoundError: no bundle of that name is shipped.
    """
    path = Path(str(bundle_files(which).facts)).with_suffix(ONNX_SUFFIX)
    return path if path.is_file() else None


def is_graph_of(graph: OnnxFacts, bundle: BundleFacts | EnsembleFacts) -> bool:
    """Whether an ONNX file predicts as a bundle does: its weights, in float32, with its views."""
    members = bundle.members if isinstance(bundle, EnsembleFacts) else [bundle]
    temperatures = {} if isinstance(bundle, EnsembleFacts) else bundle.temperatures
    wanted = [one.preprocessing for one in members]
    return (
        graph.weights_sha256 == bundle.weights_sha256
        and graph.precision == "float32"
        and graph.temperatures == temperatures
        and graph.classes == tuple(bundle.classes)
        and [one.tta for one in graph.networks] == [one.tta for one in wanted]
        and all(one.image_format == graph.image_format for one in wanted)
    )
