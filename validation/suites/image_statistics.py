"""Image statistics: no image is blank, nearly black or nearly white."""

from validation.checks import Check, at_most
from validation.config import ValidationConfig
from validation.expectations import gxe

TOPIC = "image_statistics"


def checks(config: ValidationConfig) -> list[Check]:
    """A warning for any such image; an error where they are more than the allowed share."""
    most = config.max_bad_image_fraction
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
    found: list[Check] = []
    for kind, column, bounds, text in kinds:
        found += [
            Check(
                f"{kind}_images",
                TOPIC,
                "warning",
                "kept",
                gxe.ExpectColumnValuesToBeBetween(column=column, **bounds),
                f"every image with {text} (of 0..255)",
                "look at them; cleaning puts blank training frames in quarantine",
            ),
            Check(
                f"{kind}_image_share",
                TOPIC,
                "error",
                "kept",
                gxe.ExpectColumnValuesToBeBetween(column=column, mostly=at_most(most), **bounds),
                f"a share of at most {most:g} {kind} images ({text} not met)",
                "remove them from the source, or raise validation.max_bad_image_fraction",
            ),
        ]
    return found
