"""Names of networks and of shipped weights, without importing torch or timm (seconds)."""

import difflib
import importlib.util
import json
import re
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

OWN_NAMES = ("compact_cnn", "face_cnn", "scratch_cnn", "scratch_mlp")
DLIB_NAME = "dlib_resnet"
NAMES = (*OWN_NAMES, DLIB_NAME)
"""All networks that are not timm's."""
SHIPPED: Traversable = resources.files("fer_models") / "weights"
"""The folder of the weights that ferflow ships."""
FACTS_SUFFIX = ".json"
WEIGHTS_SUFFIX = ".safetensors"
_REGISTERED = re.compile(r"^@register_model\s+def (\w+)\(", re.MULTILINE)
_DEPRECATED = re.compile(r"register_model_deprecations\(__name__, \{(.*?)\n\}\)", re.DOTALL)
_DEPRECATED_NAME = re.compile(r"^\s*['\"]([\w.-]+)['\"]\s*:", re.MULTILINE)
_NUM_SUGGESTIONS = 5


def network_problem(name: str) -> str | None:
    """What is wrong with a network's name, with suggestions; None for a known network.

    A weights tag after a dot (`resnet34.a1_in1k`) is not checked here.

    Example:
        network_problem("resnet999")  # "expected ... got 'resnet999'; did you mean ..."
    """
    known = timm_registered()
    if name in NAMES or name.partition(".")[0] in known:
        return None
    near = difflib.get_close_matches(name, [*NAMES, *sorted(known)], n=_NUM_SUGGESTIONS, cutoff=0.5)
    suggestion = f"did you mean {', '.join(near)}?" if near else "there is no similar name."
    return (
        f"expected {', '.join(NAMES)} or one of timm's {len(known)} networks, "
        f"got {name!r}; {suggestion} List timm's with: ferflow networks list --timm '*resnet*'"
    )


@cache
def shipped_teachers() -> tuple[str, ...]:
    """The names of all shipped networks and ensembles that a training can learn from, sorted.

    Final fits have learned from FER2013's validation images, on which a training would be chosen.
    """
    if not SHIPPED.is_dir():
        return ()
    files = sorted(entry.name for entry in SHIPPED.iterdir() if entry.name.endswith(FACTS_SUFFIX))
    names = [file.removesuffix(FACTS_SUFFIX) for file in files]
    return tuple(name for name in names if not read_shipped(name).get("final_fit_of"))


@cache
def shipped_names() -> tuple[str, ...]:
    """Those of the teachers that are networks, with weights of their own, sorted."""
    return tuple(
        name for name in shipped_teachers() if (SHIPPED / f"{name}{WEIGHTS_SUFFIX}").is_file()
    )


def read_shipped(name: str) -> dict[str, Any]:
    """The metadata of a shipped network, as they are stored."""
    facts: dict[str, Any] = json.loads((SHIPPED / f"{name}{FACTS_SUFFIX}").read_text("utf-8"))
    return facts


@cache
def timm_registered() -> frozenset[str]:
    """The names that timm registers, read from its source files."""
    spec = importlib.util.find_spec("timm")
    if spec is None or not spec.submodule_search_locations:
        return frozenset()
    names: set[str] = set()
    for path in (Path(spec.submodule_search_locations[0]) / "models").glob("*.py"):
        source = path.read_text(encoding="utf-8")
        names.update(_REGISTERED.findall(source))
        for block in _DEPRECATED.findall(source):
            names.update(_DEPRECATED_NAME.findall(block))
    return frozenset(names)
