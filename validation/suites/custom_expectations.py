"""Expectations of one's own: a YAML file of Great Expectations' names, beside the suites.

- table: kept
  expect: expect_column_mean_to_be_between
  kwargs: {column: mean, min_value: 110, max_value: 150}
  severity: warning
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from validation.checks import Check
from validation.expectations import gxe
from validation.tables import COLUMNS

TOPIC = "own"
_KEYS = ("table", "expect", "kwargs", "severity", "name", "expected", "remedy")
_SEVERITIES = ("error", "warning")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_REMEDY = "an expectation of your own: change the data, or the expectation"
# They ask a database or a second table; the tables here lie in memory, each by itself.
_NEED_A_DATABASE = re.compile("LikePattern|QueryResults|OtherTable|UnexpectedRows")
# Arguments that are the gate's to set.
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
    """The checks of a file, and everything that is wrong with it.

    Args:
        file: its path; "" for none.
        taken: names that other checks have.
        tables: the tables that there are.
    """
    entries, problems = _entries(file)
    checks: list[Check] = []
    names = set(taken)
    for number, entry in enumerate(entries, start=1):
        check, faults = _check(entry, tuple(tables))
        if check is not None and check.name in names:
            faults = [f"name {check.name!r}: another check has it; give this one a `name`"]
        problems += [f"{file}, expectation {number}: {fault}" for fault in faults]
        if check is not None and not faults:
            checks.append(check)
            names.add(check.name)
    return checks, problems


def _entries(file: str) -> tuple[list[Any], list[str]]:
    if not file:
        return [], []
    try:
        content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        return [], [f"{file}: can't be read: {error.strerror or error}"]
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        return [], [f"{file}: can't be read as YAML: {' '.join(str(error).split())}"]
    if not isinstance(content, list) or not content:
        return [], [f"{file}: expected a list of expectations, got {_kind(content)}"]
    return content, []


def _check(entry: Any, tables: tuple[str, ...]) -> tuple[Check | None, list[str]]:
    """The check that an entry asks for, or what is wrong with it."""
    if not isinstance(entry, dict):
        return None, [f"expected keys ({', '.join(_KEYS)}), got {_kind(entry)}"]
    problems = [_unknown("key", key, _KEYS) for key in entry if key not in _KEYS]
    problems += _faults_of_words(entry)
    table, kwargs = entry.get("table"), entry.get("kwargs", {})
    if table not in tables:
        problems.append(_unknown("table", table, tables))
    expectation: Any = None
    if not isinstance(kwargs, dict):
        problems.append(f"kwargs: expected key: value pairs, got {_kind(kwargs)}")
    else:
        problems += _faults_of_columns(kwargs, table) if table in tables else []
        expectation, faults = _made(entry.get("expect"), kwargs)
        problems += faults
    if problems:
        return None, problems
    return _named(entry, str(table), expectation), []


def _named(entry: Mapping[str, Any], table: str, expectation: Any) -> Check:
    kind, kwargs = expectation.expectation_type, entry.get("kwargs", {})
    words = ", ".join(f"{key} {value}" for key, value in kwargs.items())
    return Check(
        name=entry.get("name") or _default_name(kind, table, kwargs),
        topic=TOPIC,
        severity=entry.get("severity", "error"),
        table=table,
        expectation=expectation,
        expected=entry.get("expected") or f"{kind}: {words} (table {table})",
        remedy=entry.get("remedy") or _REMEDY,
    )


def _faults_of_words(entry: Mapping[Any, Any]) -> list[str]:
    problems = []
    severity = entry.get("severity", "error")
    if severity not in _SEVERITIES:
        problems.append(_unknown("severity", severity, _SEVERITIES))
    for key in ("name", "expected", "remedy"):
        value = entry.get(key, "")
        if not isinstance(value, str):
            problems.append(f"{key}: expected a text, got {_kind(value)}")
        elif key == "name" and value and not _NAME.fullmatch(value):
            problems.append(f"name {value!r}: expected 1 to 80 letters, digits, '_', '-' or '.'")
    return problems


def _faults_of_columns(kwargs: Mapping[Any, Any], table: str) -> list[str]:
    named: list[Any] = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
    several = kwargs.get("column_list")
    named += several if isinstance(several, list) else []
    columns = COLUMNS[table]
    return [_unknown(f"column of table {table}", c, columns) for c in named if c not in columns]


def _made(name: Any, kwargs: Mapping[Any, Any]) -> tuple[Any, list[str]]:
    kinds = _kinds()
    if not isinstance(name, str) or name not in kinds:
        style = "_" in str(name)
        near = tuple(one for one in kinds if ("_" in one) == style)
        return None, [_unknown("expect", name, near, list_all=False)]
    if kwargs.get("condition_parser") == "pandas":
        # The one that there is for these tables, and therefore no longer asked for.
        kwargs = {key: value for key, value in kwargs.items() if key != "condition_parser"}
    allowed = tuple(sorted(set(kinds[name].__fields__) - _RESERVED))
    foreign = [
        _unknown(f"argument of {name}", key, allowed) for key in kwargs if key not in allowed
    ]
    try:
        made = kinds[name](**{key: _argument(key, kwargs[key]) for key in allowed if key in kwargs})
    except (ValueError, TypeError) as error:
        return None, foreign + _explained(name, error)
    return made, foreign


def _argument(key: str, value: Any) -> Any:
    """A row condition in pandas' words is wrapped: as bare text it is on its way out."""
    if key != "row_condition" or not isinstance(value, str):
        return value
    from great_expectations.expectations.row_conditions import PassThroughCondition

    return PassThroughCondition(pass_through_filter=value)


def _explained(name: str, error: Exception) -> list[str]:
    """One line an argument; of the types that it may have, the first."""
    lines: dict[str, str] = {}
    for item in error.errors() if hasattr(error, "errors") else ():
        where = ".".join(str(part) for part in item["loc"])
        lines.setdefault(where, f"{name}, argument {where}: {item['msg']}")
    return list(lines.values()) or [f"{name}: {error}"]


def _kinds() -> dict[str, Any]:
    """Great Expectations' expectations that suit these tables, under both of their names."""
    names = [name for name in dir(gxe) if re.match("Expect[A-Z]", name)]
    kinds = [getattr(gxe, name) for name in names if not _NEED_A_DATABASE.search(name)]
    suitable = [kind for kind in kinds if kind.expectation_type]
    return {kind.expectation_type: kind for kind in suitable} | {
        kind.__name__: kind for kind in suitable
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
