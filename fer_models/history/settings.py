"""Differences between two configurations, setting by setting."""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

# Where artifacts are is not part of what a run does.
PLACES = ("store", "tracking.folder")


class SettingChange(BaseModel):
    """One setting with two values; None where a configuration lacks it."""

    model_config = ConfigDict(frozen=True)
    path: str
    before: Any
    after: Any


def setting_changes(
    before: Mapping[str, Any], after: Mapping[str, Any], ignored: Collection[str] = PLACES
) -> tuple[SettingChange, ...]:
    """The settings that differ between two configurations of JSON values, by path.

    Items of lists are compared by their `name` where all have one (`members.compact_cnn.training.
    epochs`); other lists are compared as a whole.

    Args:
        before: the first configuration.
        after: the second one.
        ignored: paths that are not compared, with everything below them.

    Example:
        setting_changes({"seed": 0}, {"seed": 1})  # (SettingChange("seed", 0, 1),)
    """
    return tuple(_changes("", before, after, ignored))


def _changes(path: str, before: Any, after: Any, ignored: Collection[str]) -> list[SettingChange]:
    if path in ignored or before == after:
        return []
    old, new = _children(before), _children(after)
    if old is None or new is None:
        return [SettingChange(path=path, before=before, after=after)]
    found: list[SettingChange] = []
    for key in [*old, *(key for key in new if key not in old)]:
        below = f"{path}.{key}" if path else str(key)
        found += _changes(below, old.get(key), new.get(key), ignored)
    if list(old) != list(new) and sorted(old) == sorted(new) and isinstance(before, list | tuple):
        found.append(SettingChange(path=path, before=list(old), after=list(new)))  # the order
    return found


def _children(value: Any) -> Mapping[str, Any] | None:
    """The parts of a group or of a list of named items; None for a single value."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, list | tuple) and value:
        names = [item.get("name") if isinstance(item, Mapping) else None for item in value]
        if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return dict(zip(map(str, names), value, strict=True))
    return None
