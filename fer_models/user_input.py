"""Paths, words and YAML texts that people write: read without surprises, whatever they hold."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fer_models.errors import ConfigError

MAX_DEPTH = 50
MAX_VALUES = 100_000


def user_path(text: str) -> Path:
    """The path that a person named; `~` is expanded.

    A `~name` of an unknown user stays as it is, as in a shell, where pathlib raises.
    """
    return Path(os.path.expanduser(text))  # noqa: PTH111 - see above


def given_text(name: str, value: object) -> str:
    """The text of an argument that is a text or a path.

    Raises:
        ConfigError: it is neither.
    """
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else value
    if isinstance(text, str):
        return text
    raise ConfigError(
        f"{name}: expected a text or a path, got {value!r:.100}; pass a `str` or a `Path`"
    )


def printable(text: str) -> str:
    """The text with control and non-printable characters escaped, such as in file names."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def parse_yaml(text: str | bytes) -> Any:
    """The plain values of a YAML text.

    Raises:
        ValueError: it is no YAML, or nested deeper than 50 levels, or has more than 100,000
            values (a short text with references to references can have billions).
    """
    import yaml

    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(" ".join(str(error).split())) from error
    except ValueError as error:  # a number of more digits than Python converts, a date of month 13
        raise ValueError(f"a value can't be read: {error}") from error
    except RecursionError as error:
        raise ValueError(_too_deep()) from error
    _check_size(content)
    return content


def _check_size(content: Any) -> None:
    pending, num_values = [(content, 1)], 0
    while pending:
        value, depth = pending.pop()
        num_values += 1
        if depth > MAX_DEPTH:
            raise ValueError(_too_deep())
        if num_values > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES:,} values (references counted each time)")
        if isinstance(value, dict):
            pending += [(part, depth + 1) for item in value.items() for part in item]
        elif isinstance(value, list | set | tuple):
            pending += [(part, depth + 1) for part in value]


def _too_deep() -> str:
    return f"nested deeper than {MAX_DEPTH} levels"


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Check an argument that a type checker would: one of a few words.

    Raises:
        ConfigError: the value is none of them.

    Example:
        check_choice("speed", "slow", ("fast", "best"))  # ConfigError
    """
    if value not in choices:
        expected = ", ".join(map(repr, choices))
        raise ConfigError(f"{name}: expected one of {expected}, got {value!r}; choose one of them")
