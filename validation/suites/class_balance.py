"""Class balance: enough images of each class to learn it, and to measure it."""

from validation.checks import Check
from validation.config import ValidationConfig
from validation.expectations import gxe

TOPIC = "class_balance"


def checks(config: ValidationConfig) -> list[Check]:
    """The checks of this topic; training images mean all images while there is no split."""
    least, ratio = config.min_images_per_class, config.max_class_imbalance
    return [
        Check(
            "images_per_class",
            TOPIC,
            "error",
            "classes",
            gxe.ExpectColumnValuesToBeBetween(column="images", min_value=least),
            f"at least {least} labelled training images of each class",
            "add images of these classes, or lower validation.min_images_per_class",
        ),
        Check(
            "class_imbalance",
            TOPIC,
            "warning",
            "summary",
            gxe.ExpectColumnValuesToBeBetween(column="imbalance", max_value=ratio),
            f"the largest class at most {ratio:g} times the smallest, in training images",
            "look at balanced accuracy and recall of the small class, not at accuracy alone",
        ),
        Check(
            "classes_held_out",
            TOPIC,
            "warning",
            "classes",
            gxe.ExpectColumnValuesToBeBetween(column="splits_without", max_value=0),
            "every class in the validation and test split, where there are labels",
            "metrics of a class that is absent are undefined; add images of it",
        ),
    ]
