"""Leakage: held-out images that also occur in the data used for training or model selection."""

from validation.checks import Check, mostly_for
from validation.config import ValidationConfig
from validation.expectations import gxe

TOPIC = "leakage"
_REMEDY = "cleaning quarantines the training copies; accuracy is also reported without these images"


def checks(config: ValidationConfig) -> list[Check]:
    """A warning for any leak; an error above the allowed fraction of a held-out split."""
    limit = config.max_leak_fraction
    warnings = [
        _no_leak("validation", "train"),
        _no_leak("test", "train"),
        _no_leak("test", "validation"),
    ]
    return [*warnings, _few_leaks("validation", limit), _few_leaks("test", limit)]


def _no_leak(split: str, into: str) -> Check:
    return Check(
        f"{split}_in_{into}",
        TOPIC,
        "warning",
        split,
        gxe.ExpectColumnValuesToBeInSet(column=f"in_{into}", value_set=[False]),
        f"no {split} image with the pixels of a {into} image",
        _REMEDY,
    )


def _few_leaks(split: str, limit: float) -> Check:
    return Check(
        f"{split}_leak_share",
        TOPIC,
        "error",
        split,
        gxe.ExpectColumnValuesToBeInSet(
            column="in_train", value_set=[False], mostly=mostly_for(limit)
        ),
        f"a fraction of at most {limit:g} of the {split} images in training",
        "re-split (splitting.strategy=stratified), or leave the training copies to cleaning, which "
        "quarantines them; for either, raise validation.max_leak_fraction",
        "validation.max_leak_fraction",
    )
