"""The checks of a configuration, and the validation of its settings."""

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fer_models.classes.class_list import FER2013_CLASSES, ClassList
from fer_models.errors import ConfigError
from fer_models.progress import report
from fer_models.storage.store import ArtifactStore
from validation.checks import Check
from validation.config import ValidationConfig

_HEADLINE = "invalid settings of the data gate:"


def content_sha(file: str) -> str:
    """Sha256 of the file's content; "" without a file, or if it can't be read."""
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
    except OSError:
        return ""


def check_settings(store: ArtifactStore, config: ValidationConfig) -> None:
    """Check the reference, the severities and the expectations file before any work is done.

    Great Expectations is only loaded if there are severities or a file to check.

    Raises:
        ConfigError: lists all problems.
        StoreError: the store can't be read.
    """
    problems = _reference_problems(store, config)
    if config.severities or config.expectations_file:
        report("validate", 0, note="settings")
        problems += _checks_and_problems(config)[1]
    if problems:
        raise ConfigError(_HEADLINE, problems)


def checks_for(
    config: ValidationConfig,
    classes: ClassList = FER2013_CLASSES,
    other_classes: bool = False,
) -> list[Check]:
    """All checks in report order: the suites, then the custom expectations.

    Args:
        config: thresholds, severities and the file of custom expectations.
        classes: of the snapshot.
        other_classes: whether the reference for drift has other classes.

    Raises:
        ConfigError: invalid expectations file or severities; lists all problems.
    """
    checks, problems = _checks_and_problems(config, classes, other_classes)
    if problems:
        raise ConfigError(_HEADLINE, problems)
    return checks


def _checks_and_problems(
    config: ValidationConfig, classes: ClassList = FER2013_CLASSES, other_classes: bool = False
) -> tuple[list[Check], list[str]]:
    from validation.suites.all_suites import suite_checks
    from validation.suites.custom_expectations import read_checks
    from validation.tables import COLUMNS

    # Severities may name drift checks without a reference, too.
    with_drift = config.model_copy(update={"reference": config.reference or "any"})
    taken = [check.name for check in suite_checks(with_drift, other_classes=True)]
    tables = [name for name in COLUMNS if name != "drift" or config.reference]
    custom, problems = read_checks(config.expectations_file, taken, tables)
    suite = [*suite_checks(config, classes, other_classes), *custom]
    known = [*taken, *(check.name for check in custom)]
    # An invalid expectation has no name yet.
    suffix = " (or the name of an invalid custom expectation)" if problems else ""
    problems += [_unknown(name, known) + suffix for name in config.severities if name not in known]
    return _with_severities(suite, config.severities), problems


def _with_severities(checks: Sequence[Check], severities: Any) -> list[Check]:
    levels = {check.name: severities.get(check.name, check.severity) for check in checks}
    return [
        replace(check, severity=levels[check.name])
        for check in checks
        if levels[check.name] != "off"
    ]


def _reference_problems(store: ArtifactStore, config: ValidationConfig) -> list[str]:
    from validation.drift.reference import find_reference

    try:
        if config.reference:
            find_reference(store, config.reference)
    except ConfigError as error:
        return [error.message]
    return []


def _unknown(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
    return f"validation.severities: there is no check {name!r}; {hint}"
