"""All suites of the data gate, in the order of the report."""

from fer_models.data.config import ValidationConfig
from validation import (
    class_balance,
    drift,
    duplicates,
    image_statistics,
    labels,
    leakage,
    schema,
    splits,
)
from validation.checks import Check

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
    """The checks of every suite."""
    return [check for suite in _SUITES for check in suite.checks(config)]
