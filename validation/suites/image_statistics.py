"""Image statistics: no image is blank, almost black or almost white."""

from validation.checks import Check, mostly_for
from validation.config import ValidationConfig
from validation.expectations import gxe

TOPIC = "image_statistics"


def checks(config: ValidationConfig) -> list[Check]:
    """A warning for any such image; an error above the allowed fraction, per kind."""
    limit = config.max_bad_image_fraction
    kinds = [
        ("blank", "std", {"min_value": config.min_std}, f"grey-value std >= {config.min_std:g}"),
        ("dark", "mean", {"min_value": config.min_mean}, f"mean grey value >= {config.min_mean:g}"),
        (
            "bright",
            "mean",
            {"max_value": config.max_mean},
            f"mean grey value <= {config.max_mean:g}",
        ),
    ]
    suite: list[Check] = []
    for kind, column, bounds, text in kinds:
        suite += [
            Check(
                f"{kind}_images",
                TOPIC,
                "warning",
                "kept",
                gxe.ExpectColumnValuesToBeBetween(column=column, **bounds),
                f"every image with {text} (of 0..255)",
                "inspect them; cleaning quarantines blank training images",
            ),
            Check(
                f"{kind}_image_share",
                TOPIC,
                "error",
                "kept",
                gxe.ExpectColumnValuesToBeBetween(
                    column=column, mostly=mostly_for(limit), **bounds
                ),
                f"a fraction of at most {limit:g} {kind} images (without {text})",
                "remove them from the source, or raise validation.max_bad_image_fraction",
                "validation.max_bad_image_fraction",
            ),
        ]
    return suite
