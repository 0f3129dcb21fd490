"""Settings of cleaning."""

from typing import Any, Literal

from pydantic import Field, field_validator

from fer_models.base_config import FrozenConfig
from fer_models.dataset.config import (
    BLANK_STD,
    NEAR_DUPLICATE_SIMILARITY,
    PROMISING_SIMILARITY,
)

# By policy; chosen by the measurements in docs/data-quality.md.
FACE_SCORE_LIMITS = {"off": 0.0, "balanced": 0.45, "strict": 0.5}
LABEL_QUALITY_LIMITS = {"off": 0.0, "balanced": 0.2, "strict": 0.3}


class CleaningConfig(FrozenConfig):
    """What cleaning quarantines. Nothing is ever deleted."""

    policy: Literal["balanced", "strict", "off"] = Field(
        default="balanced",
        description="off: keep everything. balanced: quarantine clear defects (exact and near "
        "duplicates, leaks, conflicting labels, blank images, non-faces, the worst labels). "
        "strict: quarantine more label errors and non-faces, at the cost of some valid images.",
    )
    near_duplicate_min_similarity: float = Field(
        default=NEAR_DUPLICATE_SIMILARITY,
        ge=PROMISING_SIMILARITY,
        le=1,
        description="Minimum correlation (0..1) of two aligned images to count as near duplicates.",
    )
    min_std: float = Field(
        default=BLANK_STD,
        ge=0,
        description="Grey-value standard deviation below which an image is blank.",
    )
    min_not_face_votes: int = Field(
        default=5,
        ge=1,
        le=10,
        description="Minimum FER+ votes for 'not a face' to count as a non-face.",
    )
    min_face_score: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Face score (0..1) below which an image is a non-face; unset: that of the "
        f"policy, {FACE_SCORE_LIMITS['balanced']:g} (balanced) or "
        f"{FACE_SCORE_LIMITS['strict']:g} (strict).",
    )
    max_label_error_quality: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Label quality (0..1) up to which a label is an error; unset: that of the "
        f"policy, {LABEL_QUALITY_LIMITS['balanced']:g} (balanced), or "
        f"{LABEL_QUALITY_LIMITS['strict']:g} plus all label issues of confident learning (strict).",
    )
    relabel_by_votes: bool = Field(
        default=False,
        description="Give images the FER+ majority label where enough taggers contradict their "
        "label.",
    )
    min_relabel_votes: int = Field(
        default=6, ge=1, le=10, description="Minimum FER+ votes for the class of a new label."
    )
    honour_decisions: bool = Field(
        default=True, description="Apply people's stored decisions about single images."
    )
    pause_for_review: bool = Field(
        default=False,
        description="Pause the flow after cleaning until a person has answered the review page "
        "(needs a Prefect server).",
    )
    review_timeout_h: float = Field(
        default=168.0, gt=0, le=8760, description="Maximum wait for a person, in hours."
    )

    @field_validator("policy", mode="before")
    @classmethod
    def _accept_bare_off(cls, value: Any) -> Any:
        # YAML reads a bare `off` as false.
        return "off" if value is False else value

    @property
    def face_score_limit(self) -> float:
        """Face score below which an image is a non-face."""
        if self.min_face_score is not None:
            return self.min_face_score
        return FACE_SCORE_LIMITS[self.policy]

    @property
    def quarantines_label_issues(self) -> bool:
        """Whether every label issue of confident learning is an error, whatever its quality."""
        return self.policy == "strict" and self.max_label_error_quality is None

    @property
    def label_quality_limit(self) -> float:
        """Label quality up to which a label is an error."""
        if self.max_label_error_quality is not None:
            return self.max_label_error_quality
        return LABEL_QUALITY_LIMITS[self.policy]
