"""Recipes: named pipeline configurations, one YAML file each with the differences from `demo`."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from fer_models.errors import ConfigError
from flows.pipeline_config import PipelineConfig

_FOLDER = Path(__file__).parent
# Groups with arbitrary keys.
_FREE_GROUPS = ("validation.severities",)


def recipe_names() -> list[str]:
    """The names of all bundled recipes, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_config(
    recipe: str, assignments: Sequence[str] = (), changes: Mapping[str, Any] | None = None
) -> PipelineConfig:
    """Load a recipe and apply changes.

    Args:
        recipe: one of `recipe_names()`, or the path of a YAML file.
        assignments: `path.to.field=value` with the value in YAML; list items by index, or by name
            where they have one.
        changes: further changes by path, applied after `assignments`.

    Raises:
        ConfigError: unknown recipe, key or value; lists all problems.

    Example:
        config = load_config("fer2013", ["members.0.training.epochs=3"], {"seed": 1})
    """
    settings = _read(recipe)
    problems: list[str] = []
    for assignment in assignments:
        path, separator, text = assignment.partition("=")
        if not separator or not path:
            problems.append(f"--set {assignment}: expected path.to.field=value")
            continue
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            problems.append(f"--set {assignment}: {text!r} is not valid YAML ({error})")
            continue
        problems.extend(_assign(settings, path.strip(), value))
    for path, value in (changes or {}).items():
        problems.extend(_assign(settings, path, value))
    return _validated(settings, recipe, problems)


def _validated(settings: dict[str, Any], recipe: str, problems: list[str]) -> PipelineConfig:
    try:
        config = PipelineConfig.model_validate(settings)
    except ValidationError as error:
        problems = [*problems, *(_explain(item) for item in error.errors())]
    if problems:
        raise ConfigError(f"invalid configuration (recipe {recipe}):", problems)
    return config


def _read(recipe: str) -> dict[str, Any]:
    path = _FOLDER / f"{recipe}.yaml" if recipe in recipe_names() else Path(recipe)
    if not path.is_file():
        close = difflib.get_close_matches(recipe, recipe_names(), n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(
            f"recipe {recipe!r}: no such recipe or file; {hint}recipes: {', '.join(recipe_names())}"
        )
    try:
        changes = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"recipe {path}: can't be read as YAML: {error}") from error
    if not isinstance(changes, dict):
        raise ConfigError(
            f"recipe {path}: expected `key: value` lines, got {type(changes).__name__}"
        )
    return _completed(_merged(PipelineConfig().model_dump(mode="json"), changes))


def _completed(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with all defaults, including those of the members, so all can be assigned."""
    try:
        return PipelineConfig.model_validate(settings).model_dump(mode="json")
    except ValidationError:
        return settings  # validated again after all assignments


def _merged(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        nested = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        merged[str(key)] = nested
    return merged


def _assign(settings: dict[str, Any], path: str, value: Any) -> list[str]:
    """Set a value; return the problems."""
    *parents, last = path.split(".")
    node: Any = settings
    for depth, part in enumerate(parents):
        node = _child(node, part)
        if not isinstance(node, dict | list):
            return [f"{path}: unknown group {'.'.join(parents[: depth + 1])!r}"]
    if isinstance(node, list):
        if not last.isdecimal() or int(last) >= len(node):
            return [f"{path}: expected an index 0..{len(node) - 1}, got {last!r}"]
        node[int(last)] = value
    elif last in node or ".".join(parents) in _FREE_GROUPS:
        old = node.get(last)
        node[last] = (
            _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    else:
        close = difflib.get_close_matches(last, node, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(node))}"
        return [f"{path}: unknown setting {last!r}; {hint}"]
    return []


def _child(node: Any, part: str) -> Any:
    if isinstance(node, dict):
        return node.get(part)
    if isinstance(node, list):
        if part.isdecimal() and int(part) < len(node):
            return node[int(part)]
        return next(
            (item for item in node if isinstance(item, dict) and item.get("name") == part), None
        )
    return None


def _explain(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"]) or "settings"
    value = item.get("input")
    got = f", got {value!r}" if not isinstance(value, dict | list) else ""
    if item["type"] == "extra_forbidden":
        return f"{where}: unknown setting"
    return f"{where}: {item['msg']}{got}"
