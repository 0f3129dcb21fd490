"""Custom expectations: a YAML file with Great Expectations' own expectations.

- table: kept
  expect: expect_column_mean_to_be_between
  kwargs: {column: mean, min_value: 110, max_value: 150}
  severity: warning
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from fer_models.user_input import parse_yaml, user_path
from validation.checks import Check
from validation.expectations import gxe
from validation.suites.row_condition import parse_row_condition
from validation.tables import COLUMNS

TOPIC = "custom"
_KEYS = ("table", "expect", "kwargs", "severity", "name", "expected", "remedy")
_SEVERITIES = ("error", "warning")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_REMEDY = "a custom expectation: correct the data, or change the expectation"
# They need a database or a second table, where the tables here are in memory and independent; a
# JSON schema may refer to an address, which is then fetched.
_EXCLUDED = re.compile("LikePattern|QueryResults|OtherTable|UnexpectedRows|Json")
# Arguments that the gate sets itself.
_RESERVED = {
    "id",
    "meta",
    "notes",
    "result_format",
    "description",
    "catch_exceptions",
    "rendered_content",
    "severity",
    "windows",
    "batch_id",
    "condition_parser",
}


def read_checks(
    file: str, taken: Iterable[str], tables: Iterable[str]
) -> tuple[list[Check], list[str]]:
    """The checks of a file, and all problems found in it.

    Args:
        file: its path; "" for none.
        taken: the names of the other checks.
        tables: the names of the available tables.
    """
    entries, problems = _entries(file)
    checks: list[Check] = []
    names = set(taken)
    for number, entry in enumerate(entries, start=1):
        check, entry_problems = _parse(entry, tuple(tables))
        if check is not None and check.name in names:
            entry_problems = [f"name {check.name!r}: already in use; give this check a `name`"]
        problems += [f"{file}, expectation {number}: {problem}" for problem in entry_problems]
        if check is not None and not entry_problems:
            checks.append(check)
            names.add(check.name)
    return checks, problems


def _entries(file: str) -> tuple[list[Any], list[str]]:
    if not file:
        return [], []
    try:
        content = parse_yaml(user_path(file).read_bytes())
    except OSError as error:
        return [], [f"{file}: can't be read: {error.strerror or error}"]
    except ValueError as error:
        return [], [f"{file}: can't be read as YAML: {error}"]
    if not isinstance(content, list) or not content:
        return [], [f"{file}: expected a list of expectations, got {_kind(content)}"]
    return content, []


def _parse(entry: Any, tables: tuple[str, ...]) -> tuple[Check | None, list[str]]:
    """The check of an entry, or its problems."""
    if not isinstance(entry, dict):
        return None, [f"expected keys ({', '.join(_KEYS)}), got {_kind(entry)}"]
    problems = [_unknown("key", key, _KEYS) for key in entry if key not in _KEYS]
    problems += _text_problems(entry)
    table, kwargs = entry.get("table"), entry.get("kwargs", {})
    if table not in tables:
        problems.append(_unknown("table", table, tables))
    expectation: Any = None
    if not isinstance(kwargs, dict):
        problems.append(f"kwargs: expected key: value pairs, got {_kind(kwargs)}")
    else:
        columns = COLUMNS[table] if table in tables else ()
        problems += _column_problems(kwargs, str(table)) if columns else []
        expectation, argument_problems = _build(entry.get("expect"), kwargs, columns)
        problems += argument_problems
    if problems:
        return None, problems
    return _to_check(entry, str(table), expectation), []


def _to_check(entry: Mapping[str, Any], table: str, expectation: Any) -> Check:
    kind, kwargs = expectation.expectation_type, entry.get("kwargs", {})
    arguments = ", ".join(f"{key} {value}" for key, value in kwargs.items())
    return Check(
        name=entry.get("name") or _default_name(kind, table, kwargs),
        topic=TOPIC,
        severity=entry.get("severity", "error"),
        table=table,
        expectation=expectation,
        expected=entry.get("expected") or f"{kind}: {arguments} (table {table})",
        remedy=entry.get("remedy") or _REMEDY,
    )


def _text_problems(entry: Mapping[Any, Any]) -> list[str]:
    problems = []
    severity = entry.get("severity", "error")
    if severity not in _SEVERITIES:
        problems.append(_unknown("severity", severity, _SEVERITIES))
    for key in ("name", "expected", "remedy"):
        value = entry.get(key, "")
        if not isinstance(value, str):
            problems.append(f"{key}: expected text, got {_kind(value)}")
        elif key == "name" and value and not _NAME.fullmatch(value):
            problems.append(f"name {value!r}: expected 1 to 80 letters, digits, '_', '-' or '.'")
    return problems


def _column_problems(kwargs: Mapping[Any, Any], table: str) -> list[str]:
    used: list[Any] = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
    column_list = kwargs.get("column_list")
    used += column_list if isinstance(column_list, list) else []
    columns = COLUMNS[table]
    return [_unknown(f"column of table {table}", c, columns) for c in used if c not in columns]


def _build(name: Any, kwargs: Mapping[Any, Any], columns: tuple[str, ...]) -> tuple[Any, list[str]]:
    kinds = _kinds()
    if not isinstance(name, str) or name not in kinds:
        is_snake_case = "_" in str(name)
        same_style = tuple(known for known in kinds if ("_" in known) == is_snake_case)
        return None, [_unknown("expect", name, same_style, list_all=False)]
    if kwargs.get("condition_parser") == "pandas":
        # Accepted for older files; it is the only parser for these tables.
        kwargs = {key: value for key, value in kwargs.items() if key != "condition_parser"}
    allowed = tuple(sorted(set(kinds[name].__fields__) - _RESERVED))
    problems = [
        _unknown(f"argument of {name}", key, allowed) for key in kwargs if key not in allowed
    ]
    arguments = {key: kwargs[key] for key in allowed if key in kwargs}
    if arguments.get("row_condition") is not None:
        try:
            arguments["row_condition"] = parse_row_condition(arguments["row_condition"], columns)
        except ValueError as error:
            return None, [*problems, f"{name}, argument row_condition: {error}"]
    try:
        return kinds[name](**arguments), problems
    except (ValueError, TypeError) as error:
        return None, problems + _explain(name, error)


def _explain(name: str, error: Exception) -> list[str]:
    """One line per argument; of the accepted types, only the first is mentioned."""
    lines: dict[str, str] = {}
    for item in error.errors() if hasattr(error, "errors") else ():
        where = ".".join(str(part) for part in item["loc"])
        lines.setdefault(where, f"{name}, argument {where}: {item['msg']}")
    return list(lines.values()) or [f"{name}: {error}"]


def _kinds() -> dict[str, Any]:
    """The supported expectation classes, by both of their names."""
    names = [name for name in dir(gxe) if re.match("Expect[A-Z]", name)]
    kinds = [getattr(gxe, name) for name in names if not _EXCLUDED.search(name)]
    concrete = [kind for kind in kinds if kind.expectation_type]
    return {kind.expectation_type: kind for kind in concrete} | {
        kind.__name__: kind for kind in concrete
    }


def _default_name(kind: str, table: str, kwargs: Mapping[Any, Any]) -> str:
    column = kwargs.get("column") or kwargs.get("column_A") or ""
    name = "_".join(part for part in (table, str(column), kind.removeprefix("expect_")) if part)
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:80]


def _unknown(what: str, value: Any, known: tuple[str, ...], *, list_all: bool = True) -> str:
    if value is None:
        return f"{what}: missing; one of {', '.join(known)}" if list_all else f"{what}: missing"
    near = difflib.get_close_matches(str(value), known, n=3, cutoff=0.5)
    if near:
        return f"{what} {value!r}: unknown; did you mean {' or '.join(near)}?"
    return f"{what} {value!r}: unknown" + (f"; known: {', '.join(known)}" if list_all else "")


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__} ({str(value)[:40]})"
