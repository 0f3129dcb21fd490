"""Recipes saved in the artifact store: `recipes/<name>.yaml`, the differences from `demo`."""

import re
from pathlib import PurePosixPath
from typing import Any

import yaml

from fer_models.errors import ConfigError
from fer_models.storage.store import ArtifactStore
from fer_models.user_input import parse_yaml
from flows.pipeline_config import PipelineConfig
from flows.recipes.assign import differences
from flows.recipes.built_in import recipe_names

_FOLDER = "recipes"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def saved_recipes(store: ArtifactStore) -> list[str]:
    """The names of the recipes saved in a store, sorted."""
    paths = [PurePosixPath(key) for key in store.list_keys(_FOLDER)]
    return sorted(path.stem for path in paths if path.suffix == ".yaml" and len(path.parts) == 2)


def save_recipe(
    store: ArtifactStore, name: str, config: PipelineConfig, *, replace: bool = False
) -> str:
    """Save a configuration as a recipe; its data is kept, its store and seed are not.

    Args:
        store: where the recipe is saved.
        name: lowercase letters, digits, `-` and `_`; not the name of a built-in recipe.
        config: the settings.
        replace: whether an existing recipe of that name is replaced.

    Returns:
        The key of the recipe in the store.

    Raises:
        ConfigError: the name is not allowed or already used.

    Example:
        save_recipe(store, "ours", load_config("fer2013", ["tuning.enabled=true"]))
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"recipe name {name!r}: expected lowercase letters, digits, '-' and '_', at most 63, "
            "starting with a letter or digit"
        )
    if name in recipe_names():
        raise ConfigError(
            f"recipe name {name!r}: built-in recipes can't be replaced; choose another"
        )
    if name in saved_recipes(store) and not replace:
        raise ConfigError(
            f"recipe {name!r} exists in {store.url}; choose another name, or replace it (--replace)"
        )
    settings = config.model_copy(update={"name": name}).model_dump(mode="json")
    settings.pop("store")
    settings.pop("seed")
    changes = differences(PipelineConfig().model_dump(mode="json"), settings)
    key = _key(name)
    store.write_bytes(key, yaml.safe_dump(changes, sort_keys=False).encode())
    return key


def read_saved(store: ArtifactStore, name: str) -> dict[str, Any] | None:
    """The settings of a saved recipe, or None if there is none of that name.

    Raises:
        ConfigError: the recipe can't be read as YAML.
    """
    if not _NAME.fullmatch(name) or not store.has(_key(name)):
        return None
    try:
        changes = parse_yaml(store.read_bytes(_key(name)))
    except ValueError as error:
        raise ConfigError(f"recipe {store.url}/{_key(name)}: not valid YAML: {error}") from error
    if not isinstance(changes, dict):
        raise ConfigError(
            f"recipe {store.url}/{_key(name)}: expected `key: value` lines, got "
            f"{type(changes).__name__}"
        )
    return changes


def _key(name: str) -> str:
    return f"{_FOLDER}/{name}.yaml"
