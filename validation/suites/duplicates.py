"""Duplicates: images with identical pixels, and contradictions between their labels."""

from validation.checks import Check, mostly_for
from validation.config import ValidationConfig
from validation.expectations import gxe

TOPIC = "duplicates"


def checks(config: ValidationConfig) -> list[Check]:
    """A warning for any exact copy or contradiction; an error above the allowed fraction."""
    limit = config.max_duplicate_fraction
    return [
        Check(
            "exact_copies",
            TOPIC,
            "warning",
            "kept",
            gxe.ExpectColumnValuesToBeInSet(column="is_copy", value_set=[False]),
            "no exact copies of earlier images",
            "cleaning keeps one training image per group; copies in validation and test stay",
        ),
        Check(
            "exact_copy_share",
            TOPIC,
            "error",
            "kept",
            gxe.ExpectColumnValuesToBeInSet(
                column="is_copy", value_set=[False], mostly=mostly_for(limit)
            ),
            f"a fraction of at most {limit:g} exact copies",
            "check whether a source is listed twice, or raise validation.max_duplicate_fraction",
            "validation.max_duplicate_fraction",
        ),
        Check(
            "conflicting_labels",
            TOPIC,
            "warning",
            "kept",
            gxe.ExpectColumnValuesToBeInSet(column="conflicting_labels", value_set=[False]),
            "one label for images with identical pixels",
            "correct the labels; otherwise cleaning decides by votes or quarantines the images",
        ),
    ]
