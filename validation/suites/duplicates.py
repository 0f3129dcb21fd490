"""Duplicates: images with the same pixels, and what their labels say."""

from validation.checks import Check, at_most
from validation.config import ValidationConfig
from validation.expectations import gxe

TOPIC = "duplicates"


def checks(config: ValidationConfig) -> list[Check]:
    """A warning for any exact copy or contradiction; an error above the allowed share."""
    most = config.max_duplicate_fraction
    return [
        Check(
            "exact_copies",
            TOPIC,
            "warning",
            "kept",
            gxe.ExpectColumnValuesToBeInSet(column="is_copy", value_set=[False]),
            "no exact copy of an earlier image",
            "cleaning keeps one training image of a group; copies in validation and test stay",
        ),
        Check(
            "exact_copy_share",
            TOPIC,
            "error",
            "kept",
            gxe.ExpectColumnValuesToBeInSet(
                column="is_copy", value_set=[False], mostly=at_most(most)
            ),
            f"a share of at most {most:g} exact copies",
            "look whether a source was named twice, or raise validation.max_duplicate_fraction",
        ),
        Check(
            "conflicting_labels",
            TOPIC,
            "warning",
            "kept",
            gxe.ExpectColumnValuesToBeInSet(column="conflicting_labels", value_set=[False]),
            "one label for images with the same pixels",
            "cleaning settles training images by votes or sets them aside; better: correct them",
        ),
    ]
