"""Labels: every label is a known class or explicitly missing, and some labels exist."""

from fer_models.classes.class_list import ClassList
from fer_models.labels import UNLABELLED
from validation.checks import Check, mostly_for
from validation.config import ValidationConfig
from validation.expectations import gxe

TOPIC = "labels"
_MAJORITY_OF_TEN_VOTES = 5


def checks(config: ValidationConfig, classes: ClassList) -> list[Check]:
    """The checks of this topic for a snapshot with these classes."""
    last = len(classes) - 1
    limit = config.max_unlabelled_fraction
    return [
        Check(
            "labels_in_range",
            TOPIC,
            "error",
            "images",
            gxe.ExpectColumnValuesToBeBetween(column="label", min_value=UNLABELLED, max_value=last),
            f"labels 0 to {last}, or {UNLABELLED} for unlabelled images",
            "correct the labels in the source",
        ),
        Check(
            "labels_present",
            TOPIC,
            "error",
            "summary",
            gxe.ExpectColumnValuesToBeBetween(column="labelled", min_value=1),
            "at least one labelled image outside quarantine",
            "add a labelled source; the pipeline can't train without labels",
        ),
        Check(
            "unlabelled_share",
            TOPIC,
            "error",
            "kept",
            gxe.ExpectColumnValuesToBeBetween(
                column="label", min_value=0, mostly=mostly_for(limit)
            ),
            f"a fraction of at most {limit:g} unlabelled images",
            "label them, or raise validation.max_unlabelled_fraction",
            "validation.max_unlabelled_fraction",
        ),
        _faces_by_vote(),
    ]


def _faces_by_vote() -> Check:
    return Check(
        "faces_by_vote",
        TOPIC,
        "warning",
        "kept",
        gxe.ExpectColumnValuesToBeBetween(
            column="not_face_votes", max_value=_MAJORITY_OF_TEN_VOTES
        ),
        f'no image with more than {_MAJORITY_OF_TEN_VOTES} FER+ votes for "not a face"',
        "inspect them; cleaning quarantines such training images, depending on its policy",
    )
