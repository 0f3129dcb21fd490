"""Recipes: named settings of the pipeline, one YAML file each (only what differs from `demo`)."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from fer_models.errors import ConfigError
from flows.pipeline_config import PipelineConfig

_FOLDER = Path(__file__).parent
# Groups whose keys are names that the configuration does not know beforehand.
_FREE_GROUPS = ("validation.severities",)


def recipe_names() -> list[str]:
    """All recipes that come with ferflow."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_config(
    recipe: str, assignments: Sequence[str] = (), changes: Mapping[str, Any] | None = None
) -> PipelineConfig:
    """A recipe with changes put into it.

    Args:
        recipe: a name of `recipe_names()`, or the path of a YAML file of one's own.
        assignments: `path.to.field=value`, the value in YAML; list items by number.
        changes: the same as a mapping, applied after them.

    Raises:
        ConfigError: unknown recipe, key or value; everything that is wrong is listed.
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
            problems.append(f"--set {assignment}: {text!r} is no YAML value ({error})")
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
        raise ConfigError(f"the configuration (recipe {recipe}) has faults:", problems)
    return config


def _read(recipe: str) -> dict[str, Any]:
    path = _FOLDER / f"{recipe}.yaml" if recipe in recipe_names() else Path(recipe)
    if not path.is_file():
        near = difflib.get_close_matches(recipe, recipe_names(), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
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
    """The settings with all defaults, those of a recipe's members, too: any can be assigned."""
    try:
        return PipelineConfig.model_validate(settings).model_dump(mode="json")
    except ValidationError:
        return settings  # what is wrong is told when all assignments are made


def _merged(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        nested = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        merged[str(key)] = nested
    return merged


def _assign(settings: dict[str, Any], path: str, value: Any) -> list[str]:
    """Put a value in place; returns the problems there are."""
    *parents, last = path.split(".")
    place: Any = settings
    for depth, part in enumerate(parents):
        place = _step(place, part)
        if not isinstance(place, dict | list):
            return [f"{path}: there is no group {'.'.join(parents[: depth + 1])!r}"]
    if isinstance(place, list):
        if not last.isdecimal() or int(last) >= len(place):
            return [f"{path}: expected an item 0..{len(place) - 1}, got {last!r}"]
        place[int(last)] = value
    elif last in place or ".".join(parents) in _FREE_GROUPS:
        old = place.get(last)
        place[last] = (
            _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    else:
        near = difflib.get_close_matches(last, place, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(place))}"
        return [f"{path}: there is no setting {last!r}; {hint}"]
    return []


def _step(place: Any, part: str) -> Any:
    if isinstance(place, dict):
        return place.get(part)
    if isinstance(place, list):
        if part.isdecimal() and int(part) < len(place):
            return place[int(part)]
        return next(
            (item for item in place if isinstance(item, dict) and item.get("name") == part), None
        )
    return None


def _explain(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"]) or "settings"
    got = item.get("input")
    came = f", got {got!r}" if not isinstance(got, dict | list) else ""
    if item["type"] == "extra_forbidden":
        return f"{where}: there is no such setting"
    return f"{where}: {item['msg']}{came}"
