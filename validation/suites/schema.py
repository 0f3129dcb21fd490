"""Schema: the manifest has its columns, ids and value ranges, and describes these very pixels."""

from typing import Any

from fer_models.dataset.snapshot import KEPT, MANIFEST_DTYPES, QUARANTINED
from fer_models.labels import VOTE_COLUMNS
from validation.checks import Check
from validation.config import ValidationConfig
from validation.expectations import gxe

TOPIC = "schema"
_AGAIN = "ingest the source again; the snapshot is not what ingest writes"


def checks(config: ValidationConfig) -> list[Check]:
    """The checks of this topic; all are errors, for nothing later can be trusted without them."""
    del config
    return [*_of_rows(), *_of_votes(), *_of_pixels()]


def _of_rows() -> list[Check]:
    return [
        _error(
            "images_present",
            gxe.ExpectTableRowCountToBeBetween(min_value=1),
            "at least one image",
            "check the sources: nothing was read from them",
        ),
        _error(
            "manifest_columns",
            gxe.ExpectTableColumnsToMatchSet(column_set=list(MANIFEST_DTYPES), exact_match=False),
            f"the {len(MANIFEST_DTYPES)} columns of a manifest",
        ),
        _error(
            "image_ids_unique",
            gxe.ExpectColumnValuesToBeUnique(column="image_id"),
            "no image id twice",
            "give the sources different names",
        ),
        _error(
            "image_ids_readable",
            gxe.ExpectColumnValuesToMatchRegex(column="image_id", regex=r"\S"),
            "no blank image id",
        ),
        _error(
            "status_known",
            gxe.ExpectColumnValuesToBeInSet(column="status", value_set=[KEPT, QUARANTINED]),
            f"status {KEPT} or {QUARANTINED}",
        ),
    ]


def _of_votes() -> list[Check]:
    all_or_none = [0, len(VOTE_COLUMNS)]
    return [
        _error(
            "votes_in_range",
            gxe.ExpectColumnValuesToBeBetween(column="num_votes", min_value=0, max_value=10),
            "0 to 10 FER+ votes an image",
            "correct the FER+ file",
        ),
        _error(
            "votes_complete",
            gxe.ExpectColumnValuesToBeInSet(column="num_missing_votes", value_set=all_or_none),
            "all FER+ votes of an image, or none",
            "correct the FER+ file",
        ),
    ]


def _of_pixels() -> list[Check]:
    return [
        _error(
            "pixels_as_described",
            gxe.ExpectColumnPairValuesToBeEqual(column_A="pixel_sha256", column_B="actual_sha256"),
            "pixels with the sha256 that the manifest says",
        ),
        _error(
            "copies_as_described",
            gxe.ExpectColumnPairValuesToBeEqual(
                column_A="duplicate_group", column_B="first_position"
            ),
            "duplicate groups that follow from the pixels",
        ),
    ]


def _error(name: str, expectation: Any, expected: str, remedy: str = _AGAIN) -> Check:
    return Check(name, TOPIC, "error", "images", expectation, expected, remedy)
