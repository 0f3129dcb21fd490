"""Checks of drift: how far the data is from the reference snapshot."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from validation.checks import Check
from validation.config import ValidationConfig
from validation.drift.reference import Sample, have_same_classes
from validation.drift.statistics import (
    chance_jensen_shannon,
    chance_kolmogorov_smirnov,
    chance_share,
    jensen_shannon_distance,
    kolmogorov_smirnov_distance,
)
from validation.expectations import gxe

TOPIC = "drift"
TABLE = "drift"
_REMEDY = (
    "inspect the new images; if the change is real, set a newer validation.reference and retrain"
)
_REFERENCE_CLASSES = "reference_classes"
_NUM_SHOWN = 12  # of the names of classes
# Statistic -> its group of thresholds, and its description.
_STATISTICS = {
    "class_share": ("class", "Jensen-Shannon distance of the class shares"),
    "image_mean": ("pixel", "Kolmogorov-Smirnov distance of the images' mean grey values"),
    "image_std": ("pixel", "Kolmogorov-Smirnov distance of the images' standard deviations"),
    "copy_share": ("share", "change of the share of exact copies"),
    "unlabelled_share": ("share", "change of the share of unlabelled images"),
}


def checks(config: ValidationConfig, other_classes: bool = False) -> list[Check]:
    """Two checks per statistic, a warning and an error; none without a reference.

    Args:
        config: thresholds.
        other_classes: whether the reference has other classes; adds a check that fails.
    """
    if not config.reference:
        return []
    suite = [_reference_classes()] if other_classes else []
    suite += [
        Check(
            "classes_lost",
            TOPIC,
            "error",
            TABLE,
            _at_most("classes_lost", 0),
            "every class of the reference",
            "add images of these classes, or let them be missing with "
            "validation.severities.classes_lost=warning",
        )
    ]
    for statistic, (group, description) in _STATISTICS.items():
        for severity, name in (("warning", "drift"), ("error", "strong_drift")):
            limit: float = getattr(config, f"{group}_drift_{severity}")
            error = (f"validation.{group}_drift_error", getattr(config, f"{group}_drift_error"))
            suite.append(
                Check(
                    f"{statistic}_{name}",
                    TOPIC,
                    severity,  # type: ignore[arg-type]
                    TABLE,
                    _at_most(statistic, limit),
                    f"{description} at most {limit:g}, or within its chance limit",
                    f"{_REMEDY}; or raise validation.{group}_drift_{severity}",
                    f"validation.{group}_drift_{severity}",
                    error if severity == "warning" else None,
                )
            )
    return suite


def drift_table(reference: Sample, now: Sample) -> pd.DataFrame:
    """One row per statistic.

    Columns: `name`; `distance`, as measured; `chance`, its chance limit for these numbers of
    images; `drift`, the distance if it exceeds the limit, else 0; `detail`, a description.
    """
    rows = [_classes_lost(reference, now), _class_share(reference, now)]
    if not have_same_classes(reference, now):
        rows.append(_other_classes(reference, now))
    rows += [_pixels(name, reference, now) for name in ("means", "stds")]
    rows += list(_shares(reference, now))
    table = pd.DataFrame(rows, columns=["name", "distance", "chance", "detail"])
    table["drift"] = table["distance"].where(table["distance"] > table["chance"], 0.0)
    return table


def _reference_classes() -> Check:
    return Check(
        _REFERENCE_CLASSES,
        TOPIC,
        "error",
        TABLE,
        _at_most(_REFERENCE_CLASSES, 0),
        "the classes of the reference",
        "name the classes of both with data.classes, or set validation.reference to a snapshot "
        "with these classes; validation.reference='' leaves out all checks of drift",
    )


def _other_classes(reference: Sample, now: Sample) -> tuple[str, float, float, str]:
    ours, theirs = now.classes.names, reference.classes.names
    detail = f"{_listed(ours)}; the reference has {_listed(theirs)}"
    return _REFERENCE_CLASSES, float(len(set(ours) ^ set(theirs))), 0.0, detail


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NUM_SHOWN} more" if len(names) > _NUM_SHOWN else ""
    return ", ".join(names[:_NUM_SHOWN]) + more


def _at_most(statistic: str, limit: float) -> Any:
    from great_expectations.expectations.row_conditions import Column

    return gxe.ExpectColumnValuesToBeBetween(
        column="drift", max_value=limit, row_condition=Column("name") == statistic
    )


def _classes_lost(reference: Sample, now: Sample) -> tuple[str, float, float, str]:
    """The classes of both without images; those of one only are another check."""
    before, after = reference.class_counts, now.class_counts
    images = dict(zip(now.classes.names, after, strict=True))
    # Data without any label is reported by unlabelled_share.
    lost = [
        f"{name} (was {count / before.sum():.3g})"
        for name, count in zip(reference.classes.names, before, strict=True)
        if count and not images.get(name, 1) and after.sum()
    ]
    return "classes_lost", float(len(lost)), 0.0, ", ".join(lost)


def _class_share(reference: Sample, now: Sample) -> tuple[str, float, float, str]:
    if not have_same_classes(reference, now):
        return "class_share", 0.0, 0.0, "not compared: the classes differ"
    before, after = reference.class_counts, now.class_counts
    num_before, num_after = int(before.sum()), int(after.sum())
    if not num_before or not num_after:
        return "class_share", 0.0, 0.0, "no labels to compare"
    change = after / num_after - before / num_before
    largest = int(np.abs(change).argmax())
    num_classes = int(((before + after) > 0).sum())
    detail = (
        f"largest change: {now.classes.names[largest]}, share "
        f"{before[largest] / num_before:.3g} -> {after[largest] / num_after:.3g}"
    )
    distance = jensen_shannon_distance(before, after)
    chance = chance_jensen_shannon(num_classes, num_before, num_after)
    return "class_share", distance, chance, detail


def _pixels(column: str, reference: Sample, now: Sample) -> tuple[str, float, float, str]:
    before, after = getattr(reference, column), getattr(now, column)
    name = {"means": "image_mean", "stds": "image_std"}[column]
    if not len(before) or not len(after):
        return name, 0.0, 0.0, "no images to compare"
    distance = kolmogorov_smirnov_distance(before, after)
    chance = chance_kolmogorov_smirnov(len(before), len(after))
    return name, distance, chance, f"average {before.mean():.4g} -> {after.mean():.4g}"


def _shares(reference: Sample, now: Sample) -> Iterator[tuple[str, float, float, str]]:
    num_before, num_after = len(reference.labels), len(now.labels)
    counts = {
        "copy_share": (reference.num_copies, now.num_copies),
        "unlabelled_share": (int((reference.labels < 0).sum()), int((now.labels < 0).sum())),
    }
    for name, (before, after) in counts.items():
        if not num_before or not num_after:
            yield name, 0.0, 0.0, "no images to compare"
            continue
        distance = abs(after / num_after - before / num_before)
        chance = chance_share((before + after) / (num_before + num_after), num_before, num_after)
        yield name, distance, chance, f"share {before / num_before:.3g} -> {after / num_after:.3g}"
