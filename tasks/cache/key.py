"""The cache key of a task call: its inputs, its configuration, and the source behind it."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from fer_models.lineage import package_version
from fer_models.source_hash import source_hash

KeyExtra = Callable[[Mapping[str, Any]], str]
# Where curves are logged to does not change what is trained.
_IRRELEVANT = frozenset({"tracking"})
# Numeric packages whose version may change a result.
_PACKAGES = (
    "cleanlab",
    "great-expectations",
    "matplotlib",
    "numpy",
    "pandas",
    "pillow",
    "pytorch-lightning",
    "ray",
    "scikit-learn",
    "timm",
    "torch",
)


def stage_key(
    name: str, entry: str, parameters: Mapping[str, Any], cache_key_extra: KeyExtra | None = None
) -> str:
    """The cache key of a task call: `<name>-<32 hex>`."""
    relevant = {key: _plain(value) for key, value in parameters.items() if key not in _IRRELEVANT}
    versions = [f"{package}=={package_version(package)}" for package in _PACKAGES]
    parts = [source_hash(entry), *versions, json.dumps(relevant, sort_keys=True)]
    if cache_key_extra is not None:
        parts.append(cache_key_extra(parameters))
    return f"{name}-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:32]}"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
