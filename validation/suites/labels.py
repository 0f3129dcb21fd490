"""Labels: every label is a class or openly missing, and there is something to learn from."""

from fer_models.labels import NUM_CLASSES, UNLABELLED
from validation.checks import Check, at_most
from validation.config import ValidationConfig
from validation.expectations import gxe

TOPIC = "labels"
_MAJORITY_OF_TEN_VOTES = 5


def checks(config: ValidationConfig) -> list[Check]:
    """The checks of this topic."""
    most = config.max_unlabelled_fraction
    return [
        Check(
            "labels_in_range",
            TOPIC,
            "error",
            "images",
            gxe.ExpectColumnValuesToBeBetween(
                column="label", min_value=UNLABELLED, max_value=NUM_CLASSES - 1
            ),
            f"labels 0 to {NUM_CLASSES - 1}, or {UNLABELLED} for none",
            "correct the labels in the source",
        ),
        Check(
            "labels_present",
            TOPIC,
            "error",
            "summary",
            gxe.ExpectColumnValuesToBeBetween(column="labelled", min_value=1),
            "at least one labelled image that is not in quarantine",
            "add a labelled source; the pipeline can't train without labels",
        ),
        Check(
            "unlabelled_share",
            TOPIC,
            "error",
            "kept",
            gxe.ExpectColumnValuesToBeBetween(column="label", min_value=0, mostly=at_most(most)),
            f"a share of at most {most:g} of the images without a label",
            "label them, or raise validation.max_unlabelled_fraction",
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
        f"no image that more than {_MAJORITY_OF_TEN_VOTES} FER+ taggers call no face",
        "look at them; cleaning sets such training images aside, as its policy says",
    )
