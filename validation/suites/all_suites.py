"""All suites of the data gate, in report order."""

from fer_models.classes.class_list import FER2013_CLASSES, ClassList
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


def suite_checks(
    config: ValidationConfig,
    classes: ClassList = FER2013_CLASSES,
    other_classes: bool = False,
) -> list[Check]:
    """The checks of all suites.

    Args:
        config: thresholds.
        classes: of the snapshot.
        other_classes: whether the reference for drift has other classes.
    """
    return [
        *schema.checks(config),
        *labels.checks(config, classes),
        *splits.checks(config),
        *image_statistics.checks(config),
        *duplicates.checks(config),
        *leakage.checks(config),
        *class_balance.checks(config),
        *drift.checks(config, other_classes),
    ]
