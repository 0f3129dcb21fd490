"""The cache key of a task call: its parameters, and the source and packages behind it."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from fer_models.lineage import package_version
from fer_models.source_hash import source_hash

KeyExtra = Callable[[Mapping[str, Any]], str]
# Tracking does not affect the result.
_IRRELEVANT = frozenset({"tracking"})
# Nor does the node that computes it, nor where a whole configuration is tracked.
_IRRELEVANT_FIELDS = {"placement", "tracking"}
# Packages whose version may change a result.
_PACKAGES = (
    "cleanlab",
    "great-expectations",
    "matplotlib",
    "numpy",
    "optuna",
    "pandas",
    "pillow",
    "pytorch-lightning",
    "ray",
    "scikit-learn",
    "scipy",
    "timm",
    "torch",
)


def stage_key(
    name: str, entry: str, parameters: Mapping[str, Any], cache_key_extra: KeyExtra | None = None
) -> str:
    """The cache key of a task call: `<name>-<32 hex digits>`.

    It changes with the parameters (references contain content hashes), with the source of `entry`
    and of all first-party modules it imports, and with the versions of the numeric packages.

    Args:
        name: the name of the task.
        entry: dotted name of the library module that does the work.
        parameters: the arguments of the call by name.
        cache_key_extra: computes a further part from the parameters, for content outside the
            store (such as input files) or mutable state (such as the champion).
    """
    relevant = {key: _plain(value) for key, value in parameters.items() if key not in _IRRELEVANT}
    versions = [f"{package}=={package_version(package)}" for package in _PACKAGES]
    parts = [source_hash(entry), *versions, json.dumps(relevant, sort_keys=True)]
    if cache_key_extra is not None:
        parts.append(cache_key_extra(parameters))
    return f"{name}-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:32]}"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude=_IRRELEVANT_FIELDS)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
