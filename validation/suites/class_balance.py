"""Class balance: enough images per class to train on and to evaluate."""

from validation.checks import Check
from validation.config import ValidationConfig
from validation.expectations import gxe

TOPIC = "class_balance"


def checks(config: ValidationConfig) -> list[Check]:
    """The checks of this topic; before the split, all images count as training images."""
    minimum, max_ratio = config.min_images_per_class, config.max_class_imbalance
    return [
        Check(
            "images_per_class",
            TOPIC,
            "error",
            "classes",
            gxe.ExpectColumnValuesToBeBetween(column="images", min_value=minimum),
            f"at least {minimum} labelled training images per class",
            "add images of these classes, or lower validation.min_images_per_class",
            "validation.min_images_per_class",
        ),
        Check(
            "class_imbalance",
            TOPIC,
            "warning",
            "summary",
            gxe.ExpectColumnValuesToBeBetween(column="imbalance", max_value=max_ratio),
            f"the largest class at most {max_ratio:g} times the smallest, in training images",
            "report balanced accuracy and the recall of small classes, not only accuracy",
        ),
        Check(
            "classes_held_out",
            TOPIC,
            "warning",
            "classes",
            gxe.ExpectColumnValuesToBeBetween(column="splits_without", max_value=0),
            "every class in the validation and test splits, where they have labels",
            "the metrics of a missing class are undefined; add images of it",
        ),
    ]
