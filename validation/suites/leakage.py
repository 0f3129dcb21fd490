"""Leakage: held-out images that also stand in the data that training or choosing sees."""

from validation.checks import Check, at_most
from validation.config import ValidationConfig
from validation.expectations import gxe

TOPIC = "leakage"
_REMEDY = "cleaning takes the training copies out; accuracy is also reported without these images"


def checks(config: ValidationConfig) -> list[Check]:
    """A warning for any leak; an error above the allowed share of a held-out split."""
    most = config.max_leak_fraction
    warnings = [
        _no_leak("validation", "train"),
        _no_leak("test", "train"),
        _no_leak("test", "validation"),
    ]
    return [*warnings, _few_leaks("validation", most), _few_leaks("test", most)]


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


def _few_leaks(split: str, most: float) -> Check:
    return Check(
        f"{split}_leak_share",
        TOPIC,
        "error",
        split,
        gxe.ExpectColumnValuesToBeInSet(column="in_train", value_set=[False], mostly=at_most(most)),
        f"a share of at most {most:g} of the {split} images in training",
        "split anew (splitting.strategy=stratified), or raise validation.max_leak_fraction",
    )
