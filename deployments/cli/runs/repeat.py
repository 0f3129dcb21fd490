"""The command that repeats a run, from the settings in its record."""

import shlex
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from fer_models.errors import ConfigError
from fer_models.history.record import RunRecord
from fer_models.history.settings import SettingChange, setting_changes
from fer_models.training.config import MemberConfig
from flows.recipes import load_config

_DEFAULT_RECIPE = "demo"
_SOURCES = "data.sources"
_SEED = "seed"
_MEMBERS = "members"
# Groups with arbitrary keys, which may contain dots: given as a whole.
_WHOLE_GROUPS = ("validation.severities",)


def base_recipe(record: RunRecord) -> str:
    """The recipe of a run, or `demo` if it is not known here (any more)."""
    try:
        load_config(record.recipe)
    except ConfigError:
        return _DEFAULT_RECIPE
    return record.recipe


def changed_settings(record: RunRecord) -> tuple[SettingChange, ...]:
    """The settings of a run that differ from those of its recipe."""
    recipe = load_config(base_recipe(record)).model_dump(mode="json")
    return setting_changes(recipe, record.config)


def repeat_command(record: RunRecord, store_url: str | None = None) -> str:
    """A command that runs with the settings of a record again.

    Args:
        record: the run.
        store_url: added as `--store`.

    Example:
        repeat_command(record)  # "ferflow run --recipe fer2013 --data fer2013.csv --seed 3"
    """
    return shlex.join(["ferflow", "run", *repeat_options(record, store_url)])


def repeat_options(record: RunRecord, store_url: str | None = None) -> list[str]:
    """The options of that command."""
    recipe = base_recipe(record)
    options = [] if recipe == _DEFAULT_RECIPE else ["--recipe", recipe]
    paths: list[str] = []
    for change in changed_settings(record):
        if change.path == _SOURCES:
            for source in change.after:
                options += ["--data", source]
        elif change.path == _SEED:
            options += ["--seed", str(change.after)]
        else:
            paths.append(_assignable(change, record.config))
    # Settings that are newer than the record keep their defaults.
    for path in (path for path in dict.fromkeys(paths) if _has(record.config, path)):
        if path == _MEMBERS or not (_MEMBERS in paths and path.startswith(f"{_MEMBERS}.")):
            options += ["--set", f"{path}={_yaml(_at(record.config, path))}"]
    return options + (["--store", store_url] if store_url else [])


def _assignable(change: SettingChange, config: Mapping[str, Any]) -> str:
    """The path of an assignment that makes a change; an outer one where its own does not work."""
    if change.path.startswith(_MEMBERS):
        recipe_lacks = change.before is None or change.after is None
        dotted = any("." in member["name"] for member in config[_MEMBERS])
        if dotted or (recipe_lacks and change.path.count(".") == 1):
            return _MEMBERS
    whole = (group for group in _WHOLE_GROUPS if change.path.startswith(group))
    return next(whole, change.path)


def _at(config: Mapping[str, Any], path: str) -> Any:
    """The value at a path; members without what they have by default."""
    if path == _MEMBERS:
        return [_short(member) for member in config[_MEMBERS]]
    node: Any = config
    for part in path.split("."):
        if isinstance(node, list):
            node = next(item for item in node if item["name"] == part)
        else:
            node = node[part]
    return node


def _has(config: Mapping[str, Any], path: str) -> bool:
    try:
        _at(config, path)
    except (KeyError, StopIteration, TypeError):
        return False
    return True


def _short(member: dict[str, Any]) -> dict[str, Any]:
    """A member without its defaults; unchanged if it has settings that exist no more."""
    try:
        known = MemberConfig.model_validate(member)
    except ValidationError:
        return member
    return {"name": known.name, **known.model_dump(mode="json", exclude_defaults=True)}


def _yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False)
    return text.strip().removesuffix("...").strip()
