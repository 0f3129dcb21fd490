"""Set single settings by path, and name those that don't exist."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from fer_models.user_input import parse_yaml

# Groups with arbitrary keys.
_FREE_GROUPS = ("validation.severities",)
# Messages about a member name its settings so.
_OF_MEMBERS = ("training", "network", "out_of_fold")


def assign_all(settings: dict[str, Any], assignments: Sequence[str], option: str) -> list[str]:
    """Apply `path.to.field=value` texts to the settings, in place; return all problems.

    Args:
        settings: nested settings with all known keys.
        assignments: the value is YAML; list items by index, or by name where they have one.
        option: name of the option or form field that holds the assignments, for the messages.
    """
    problems: list[str] = []
    for assignment in assignments:
        path, separator, text = assignment.partition("=")
        if not separator or not path.strip():
            problems.append(f"{option} {assignment}: expected path.to.field=value")
            continue
        try:
            value = parse_yaml(text)
        except ValueError as error:
            problems.append(f"{option} {assignment}: {text!r} is not valid YAML ({error})")
            continue
        problems += [f"{option} {problem}" for problem in assign(settings, path.strip(), value)]
    return problems


def assign(settings: dict[str, Any], path: str, value: Any) -> list[str]:
    """Set a value in place, in every member for `training.`, `network.` and `out_of_fold.`.

    Returns:
        The problems.
    """
    if path.partition(".")[0] in _OF_MEMBERS:
        members = settings.get("members") or ()
        return list(
            dict.fromkeys(problem for one in members for problem in _assign(one, path, value))
        )
    return _assign(settings, path, value)


def _assign(settings: dict[str, Any], path: str, value: Any) -> list[str]:
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
            merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    else:
        close = difflib.get_close_matches(last, node, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(node))}"
        return [f"{path}: unknown setting {last!r}; {hint}"]
    return []


def merged(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes`; nested groups are merged key by key, lists are replaced."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        nested = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        result[str(key)] = nested
    return result


def differences(base: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The smallest changes with which `merged(base, changes)` equals `settings`."""
    changes: dict[str, Any] = {}
    for key, value in settings.items():
        old = base.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and set(old) <= set(value):
            nested = differences(old, value)
            if nested:
                changes[key] = nested
        elif key not in base or old != value:
            changes[key] = value
    return changes


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
