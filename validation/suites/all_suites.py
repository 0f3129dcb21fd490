"""All suites of the data gate, in report order."""

from validation.checks import Check
from validation.config import ValidationConfig
from validation.drift import checks as drift
from validation.suites import (
    class_balance,
    duplicates,
    image_statistics,
    labels,
    leakage,
    schema,
    splits,
)

_SUITES = (
    schema,
    labels,
    splits,
    image_statistics,
    duplicates,
    leakage,
    class_balance,
    drift,
)


def suite_checks(config: ValidationConfig) -> list[Check]:
    """The checks of all suites."""
    return [check for suite in _SUITES for check in suite.checks(config)]
