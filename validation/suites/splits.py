"""Splits: known names, a training split wherever splits are given, labels, and none too small."""

from fer_models.dataset.snapshot import SPLITS, UNASSIGNED
from validation.checks import Check
from validation.config import ValidationConfig
from validation.expectations import gxe

TOPIC = "splits"


def checks(config: ValidationConfig) -> list[Check]:
    """The checks of this topic."""
    minimum = config.min_images_per_split
    return [
        Check(
            "splits_known",
            TOPIC,
            "error",
            "images",
            gxe.ExpectColumnValuesToBeInSet(column="split", value_set=[*SPLITS, UNASSIGNED]),
            f"split {', '.join(SPLITS)} or none",
            "correct the split in the source",
        ),
        Check(
            "training_split_present",
            TOPIC,
            "error",
            "summary",
            gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A="train", column_B="needs_train", or_equal=True
            ),
            "training images, where a source assigns splits",
            "add the training part of the data, or re-split with splitting.strategy=stratified and "
            "validation.severities.training_split_present=warning",
        ),
        Check(
            "split_sizes",
            TOPIC,
            "error",
            "splits",
            gxe.ExpectColumnValuesToBeBetween(column="images", min_value=minimum),
            f"at least {minimum} labelled images in each split that has any",
            "add images, or lower validation.min_images_per_split",
            "validation.min_images_per_split",
        ),
        _splits_labelled(),
        _splits_assigned(),
    ]


def _splits_labelled() -> Check:
    return Check(
        "splits_labelled",
        TOPIC,
        "warning",
        "summary",
        gxe.ExpectColumnValuesToBeInSet(column="splits_without_labels", value_set=["none"]),
        "no split whose images are all unlabelled",
        "it is not used; add the labels to train or evaluate on it",
    )


def _splits_assigned() -> Check:
    return Check(
        "splits_assigned",
        TOPIC,
        "warning",
        "kept",
        gxe.ExpectColumnValuesToBeInSet(column="has_split", value_set=[True]),
        "a split for every image",
        "the split step will assign one",
    )
