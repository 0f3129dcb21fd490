"""Load a recipe by name or path, and apply changes."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fer_models.errors import ConfigError
from fer_models.storage.store import ArtifactStore
from fer_models.user_input import parse_yaml
from flows.pipeline_config import PipelineConfig
from flows.recipes.assign import assign, assign_all, merged
from flows.recipes.built_in import recipe_names, recipe_path
from flows.recipes.saved import read_saved, saved_recipes


def load_config(
    recipe: str,
    assignments: Sequence[str] = (),
    changes: Mapping[str, Any] | None = None,
    *,
    store: ArtifactStore | None = None,
    option: str = "--set",
) -> PipelineConfig:
    """Load a recipe and apply changes.

    Args:
        recipe: one of `recipe_names()`, a recipe saved in `store`, or the path of a YAML file.
        assignments: `path.to.field=value` with the value in YAML; list items by index, or by name
            where they have one.
        changes: further changes by path, applied after `assignments`.
        store: where saved recipes are looked up.
        option: name of the option or form field of the assignments, for the messages.

    Raises:
        ConfigError: unknown recipe, key or value; lists all problems.

    Example:
        config = load_config("fer2013", ["members.0.training.epochs=3"], {"seed": 1})
    """
    settings = _read(recipe, store)
    problems = assign_all(settings, assignments, option)
    for path, value in (changes or {}).items():
        problems.extend(assign(settings, path, value))
    return _validated(settings, recipe, problems)


def _validated(settings: dict[str, Any], recipe: str, problems: list[str]) -> PipelineConfig:
    try:
        config = PipelineConfig.model_validate(settings)
    except ValidationError as error:
        found = error.errors()
        problems = [*problems, *(_explain(item) for item in found if not _follows(item))]
    if problems:
        raise ConfigError(f"invalid configuration (recipe {recipe}):", problems)
    return config


def _read(recipe: str, store: ArtifactStore | None) -> dict[str, Any]:
    changes: dict[str, Any] | None
    if recipe in recipe_names():
        changes = _parsed(recipe_path(recipe))
    elif Path(recipe).is_file():
        changes = {"name": Path(recipe).stem, **_parsed(Path(recipe))}
    else:
        changes = read_saved(store, recipe) if store else None
    if changes is None:
        raise _unknown(recipe, store)
    return _completed(merged(PipelineConfig().model_dump(mode="json"), changes))


def _parsed(path: Path) -> dict[str, Any]:
    try:
        changes = parse_yaml(path.read_bytes()) or {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"recipe {path}: can't be read as YAML: {error}") from error
    if not isinstance(changes, dict):
        raise ConfigError(
            f"recipe {path}: expected `key: value` lines, got {type(changes).__name__}"
        )
    return changes


def _unknown(recipe: str, store: ArtifactStore | None) -> ConfigError:
    saved = saved_recipes(store) if store else []
    close = difflib.get_close_matches(recipe, [*recipe_names(), *saved], n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    known = f"recipes: {', '.join(recipe_names())}"
    if saved:
        known += f"; saved in the store: {', '.join(saved)}"
    return ConfigError(f"recipe {recipe!r}: no such recipe or file; {hint}{known}")


def _completed(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with all defaults, including those of the members, so all can be assigned."""
    try:
        return PipelineConfig.model_validate(settings).model_dump(mode="json")
    except ValidationError:
        return settings  # validated again after all assignments


def _follows(item: Any) -> bool:
    """Whether a list counts as too short only because its items are invalid, which is listed."""
    return bool(item["type"] == "too_short" and len(item["input"]) >= item["ctx"]["min_length"])


def _explain(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"]) or "settings"
    value = item.get("input")
    got = f", got {value!r}" if not isinstance(value, dict | list) else ""
    if item["type"] == "extra_forbidden":
        return f"{where}: unknown setting"
    if item["type"] == "value_error":  # a check of ours, which says what came
        return f"{where}: {item['ctx']['error']}"
    return f"{where}: {item['msg']}{got}"
