"""The bundles that ferflow ships, and the files of any bundle; torch is not needed here."""

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from fer_models.errors import StoreError
from fer_models.inference.facts import FACTS_SUFFIX, WEIGHTS_SUFFIX, read_facts
from fer_models.onnx_files.facts import ONNX_SUFFIX

_SHIPPED: Traversable = resources.files("fer_models") / "weights"
_INSTEAD = "train a network and pass its id, or export one with `ferflow models export`"


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
    facts = [read_facts(_SHIPPED / f"{name}{FACTS_SUFFIX}") for name in names]
    best = max(range(len(names)), key=lambda number: facts[number].validation_accuracy)
    return names[best]


def bundle_files(which: str | Path) -> tuple[Traversable, Traversable]:
    """The metadata file and the weights file of a bundle.

    Raises:
        StoreError: no bundle of that name is shipped.
    """
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


def graph_file(which: str | Path) -> Path | None:
    """The ONNX file beside a bundle; None without one.

    Raises:
        StoreError: no bundle of that name is shipped.
    """
    facts_file, _ = bundle_files(which)
    path = Path(str(facts_file)).with_suffix(ONNX_SUFFIX)
    return path if path.is_file() else None
