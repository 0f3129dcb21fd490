"""Schema: the manifest is complete, its values are valid, and it matches the pixels."""

from typing import Any

from fer_models.dataset.snapshot import KEPT, MANIFEST_DTYPES, QUARANTINED
from fer_models.labels import VOTE_COLUMNS
from validation.checks import Check
from validation.config import ValidationConfig
from validation.expectations import gxe

TOPIC = "schema"
_REINGEST = "ingest the source again; this snapshot was not written by ingest"


def checks(config: ValidationConfig) -> list[Check]:
    """The checks of this topic; all are errors, because every later check relies on them."""
    del config
    return [*_row_checks(), *_vote_checks(), *_pixel_checks()]


def _row_checks() -> list[Check]:
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
            f"all {len(MANIFEST_DTYPES)} manifest columns",
        ),
        _error(
            "image_ids_unique",
            gxe.ExpectColumnValuesToBeUnique(column="image_id"),
            "unique image ids",
            "give the sources different names",
        ),
        _error(
            "image_ids_readable",
            gxe.ExpectColumnValuesToMatchRegex(column="image_id", regex=r"\S"),
            "no blank image ids",
        ),
        _error(
            "status_known",
            gxe.ExpectColumnValuesToBeInSet(column="status", value_set=[KEPT, QUARANTINED]),
            f"status {KEPT} or {QUARANTINED}",
        ),
    ]


def _vote_checks() -> list[Check]:
    all_or_none = [0, len(VOTE_COLUMNS)]
    return [
        _error(
            "votes_in_range",
            gxe.ExpectColumnValuesToBeBetween(column="num_votes", min_value=0, max_value=10),
            "0 to 10 FER+ votes per image",
            "correct the FER+ file",
        ),
        _error(
            "votes_complete",
            gxe.ExpectColumnValuesToBeInSet(column="num_missing_votes", value_set=all_or_none),
            "all FER+ votes of an image, or none of them",
            "correct the FER+ file",
        ),
    ]


def _pixel_checks() -> list[Check]:
    return [
        _error(
            "pixels_as_described",
            gxe.ExpectColumnPairValuesToBeEqual(column_A="pixel_sha256", column_B="actual_sha256"),
            "pixels whose sha256 is the one in the manifest",
        ),
        _error(
            "copies_as_described",
            gxe.ExpectColumnPairValuesToBeEqual(
                column_A="duplicate_group", column_B="first_position"
            ),
            "duplicate groups that match the pixels",
        ),
    ]


def _error(name: str, expectation: Any, expected: str, remedy: str = _REINGEST) -> Check:
    return Check(name, TOPIC, "error", "images", expectation, expected, remedy)
