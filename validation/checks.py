"""Checks and their results: the types that all suites of the data gate share."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]
MAX_EXAMPLES = 10
# `mostly = 1 - 0.1` can be a rounding error above the fraction it is compared with.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Check:
    """A requirement on the data, as a Great Expectations expectation on one table."""

    name: str
    """Unique over all suites."""
    topic: str
    """The suite it belongs to."""
    severity: Severity
    """error: a failure closes the gate. warning: it is reported, and passes if warnings may."""
    table: str
    """The table of `validation.tables` that the expectation is evaluated on."""
    expectation: Any
    expected: str
    """The requirement as text, with its threshold."""
    remedy: str
    """What to do when the check fails."""
    setting: str = ""
    """The setting in `remedy` whose value decides, such as `validation.max_leak_fraction`."""
    also: tuple[str, float] | None = None
    """Another setting that must be raised as well, above this value."""


@dataclass(frozen=True)
class CheckResult:
    """The result of one check."""

    check: str
    topic: str
    severity: Severity
    passed: bool
    expected: str
    observed: str
    examples: tuple[str, ...]
    """Ids of at most 10 failing images; empty for checks that are not about single images."""
    num_unexpected: int
    """Number of images (or classes, or splits) that fail."""
    remedy: str
    table: str
    """The table that was checked."""
    expectation: str
    """Great Expectations' name, such as expect_column_values_to_be_unique."""
    kwargs: dict[str, Any]
    """The expectation's arguments, as JSON."""

    def to_json(self) -> dict[str, Any]:
        """The record written to `results.json`."""
        return dataclasses.asdict(self) | {"examples": list(self.examples)}


def num_failed(results: Sequence[CheckResult], severity: Severity) -> int:
    """The number of failed checks of a severity."""
    return sum(not result.passed and result.severity == severity for result in results)


def mostly_for(max_fraction: float) -> float:
    """The `mostly` argument that lets at most `max_fraction` (0..1) of the rows fail."""
    return max(0.0, 1.0 - max_fraction - _ROUNDING)
