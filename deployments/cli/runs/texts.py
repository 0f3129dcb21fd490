"""Texts that several lists show: moments, durations, accuracies, short ids."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import click

NOTHING = "-"
SHORT_ID = 12
_SECONDS_PER_MINUTE = 60
_SECONDS_PER_HOUR = 3600


class Measured(Protocol):
    """An accuracy (0..1) with its interval on n images."""

    @property
    def n(self) -> int:
        """Number of images."""

    @property
    def accuracy(self) -> float:
        """Share of correct images."""

    @property
    def low(self) -> float:
        """Lower end of the interval."""

    @property
    def high(self) -> float:
        """Upper end of the interval."""


def moment(time_s: float | None) -> str:
    """Date and time in UTC, or `-`."""
    if time_s is None:
        return NOTHING
    return f"{dt.datetime.fromtimestamp(time_s, tz=dt.UTC):%Y-%m-%d %H:%M}"


def duration(seconds: float | None) -> str:
    """Such as `18 s`, `3.1 min` or `2.4 h`; `-` if unknown."""
    if seconds is None:
        return NOTHING
    if seconds < _SECONDS_PER_MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _SECONDS_PER_HOUR:
        return f"{seconds / _SECONDS_PER_MINUTE:.1f} min"
    return f"{seconds / _SECONDS_PER_HOUR:.1f} h"


def accuracy_text(measured: Measured | None, *, with_n: bool = True) -> str:
    """Accuracy and interval in percent, such as `96.9 [94.8, 98.2] n=420`; `-` if unknown."""
    if measured is None:
        return NOTHING
    interval = f"[{100 * measured.low:.1f}, {100 * measured.high:.1f}]"
    return f"{100 * measured.accuracy:.1f} {interval}" + (f" n={measured.n}" if with_n else "")


def rejected_facts(num_rejected: int) -> dict[str, str]:
    """The line about what ingest left out of a snapshot; none if that is nothing."""
    if not num_rejected:
        return {}
    return {
        "rejected": f"{num_rejected:,} (rows and files that can't be read, listed in "
        "rejected.parquet)"
    }


def short_id(artifact_id: str | None) -> str:
    """The beginning of an id, enough to name the artifact; `-` for none."""
    return artifact_id[:SHORT_ID] if artifact_id else NOTHING


def count_text(number: int, noun: str) -> str:
    """A number of things, such as `1 model` or `2 models`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def size_text(parameters: int | None) -> str:
    """A number of parameters, such as `19 k` or `2.9 M`; `-` if unknown."""
    if parameters is None:
        return NOTHING
    if parameters >= 1_000_000:
        return f"{parameters / 1e6:.1f} M"
    return f"{parameters / 1e3:.0f} k"


def value_text(value: Any) -> str:
    """A setting as text; `-` if there is none, `present` for a whole group or member."""
    if isinstance(value, Mapping):
        return "present"
    return NOTHING if value is None else str(value)


def warn(warnings: Iterable[str]) -> None:
    """Say on stderr what a list leaves out."""
    for warning in warnings:
        click.secho(f"skipped: {warning}", err=True, fg="yellow")
