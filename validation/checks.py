"""What a check is and what comes out of it: the words that all suites of the data gate share."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]
MAX_EXAMPLES = 10
# mostly = 1 - 0.1 is a rounding error away from the share it stands for.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Check:
    """One thing that the data must satisfy, as a Great Expectations expectation on one table."""

    name: str
    """Unique over all suites."""
    topic: str
    """The suite it belongs to."""
    severity: Severity
    """error: the gate refuses the data. warning: it is told, and passes if warnings may."""
    table: str
    """The table of `validation.tables` that the expectation looks at."""
    expectation: Any
    expected: str
    """What the data should be, in words, with the threshold."""
    remedy: str
    """What a person can do when it is not so."""


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check."""

    check: str
    topic: str
    severity: Severity
    passed: bool
    expected: str
    observed: str
    examples: tuple[str, ...]
    """Ids of images that fail it, at most 10; none when the check is not about single images."""
    num_unexpected: int
    """How many images (or classes, or splits) fail it."""
    remedy: str
    table: str
    """The table that was looked at."""
    expectation: str
    """Great Expectations' name of the expectation, such as expect_column_values_to_be_unique."""
    kwargs: dict[str, Any]
    """The expectation's arguments, as JSON."""

    def to_json(self) -> dict[str, Any]:
        """The record that stands in `results.json`."""
        return dataclasses.asdict(self) | {"examples": list(self.examples)}


def num_failed(results: Sequence[CheckResult], severity: Severity) -> int:
    """How many checks of a severity failed."""
    return sum(not result.passed and result.severity == severity for result in results)


def at_most(share: float) -> float:
    """The `mostly` of an expectation that a share (0..1) of the rows may miss."""
    return max(0.0, 1.0 - share - _ROUNDING)
