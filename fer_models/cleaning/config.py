"""Settings of cleaning."""

from typing import Any, Literal

from pydantic import Field, field_validator

from fer_models.base_config import FrozenConfig

# By policy; measured in docs/data-quality.md.
_FACE_SCORE_LIMIT = {"off": 0.0, "balanced": 0.45, "strict": 0.5}
_LABEL_QUALITY_LIMIT = {"off": 0.0, "balanced": 0.2, "strict": 0.3}


class CleaningConfig(FrozenConfig):
    """What cleaning puts in quarantine. Nothing is ever deleted."""

    policy: Literal["balanced", "strict", "off"] = Field(
        default="balanced",
        description="off: keep everything. balanced: what is surely wrong (exact and near copies, "
        "leaks, contradictions, blank frames, non-faces, the worst labels). strict: more label "
        "errors and non-faces, at the price of sound images.",
    )
    near_duplicate_min_similarity: float = Field(
        default=0.95,
        ge=0.75,
        le=1,
        description="Correlation of two aligned pictures from which one counts as a copy of the "
        "other.",
    )
    min_std: float = Field(
        default=2.0,
        ge=0,
        description="Grey-value standard deviation below which an image is blank.",
    )
    min_not_face_votes: int = Field(
        default=5, ge=1, le=10, description="FER+ votes for 'not a face' that count as no face."
    )
    min_face_score: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Face score (0..1) below which an image is no face; by default the policy's "
        "own: 0.45 (balanced) or 0.5 (strict).",
    )
    max_label_error_quality: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Label quality (0..1) up to which a label is an error; by default the "
        "policy's own: 0.2 (balanced), or 0.3 and all that confident learning doubts (strict).",
    )
    relabel_by_votes: bool = Field(
        default=False,
        description="Give images whose label FER+ taggers clearly contradict the taggers' label "
        "instead of a place in quarantine.",
    )
    min_relabel_votes: int = Field(
        default=6, ge=1, le=10, description="FER+ votes for one class that make a new label."
    )
    honour_decisions: bool = Field(
        default=True, description="Apply the decisions that people have stored about single images."
    )
    pause_for_review: bool = Field(
        default=False,
        description="Let the flow wait after cleaning until a person has looked at the review page "
        "(needs a Prefect server).",
    )
    review_timeout_h: float = Field(
        default=168.0, gt=0, le=8760, description="How long the flow waits for a person, in hours."
    )

    @field_validator("policy", mode="before")
    @classmethod
    def _off_is_a_word(cls, value: Any) -> Any:
        # YAML takes a bare `off` for false.
        return "off" if value is False else value

    @property
    def face_score_limit(self) -> float:
        """The face score below which an image is no face."""
        if self.min_face_score is not None:
            return self.min_face_score
        return _FACE_SCORE_LIMIT[self.policy]

    @property
    def quarantines_label_issues(self) -> bool:
        """Whether all labels that confident learning doubts are errors, whatever their quality."""
        return self.policy == "strict" and self.max_label_error_quality is None

    @property
    def label_quality_limit(self) -> float:
        """The label quality up to which a label is an error."""
        if self.max_label_error_quality is not None:
            return self.max_label_error_quality
        return _LABEL_QUALITY_LIMIT[self.policy]
