"""Settings of ingest, the data gate, cleaning and splitting."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from fer_models.base_config import FrozenConfig

SYNTHETIC = "synthetic"
# By policy; measured in docs/data-quality.md.
_FACE_SCORE_LIMIT = {"off": 0.0, "balanced": 0.45, "strict": 0.5}
_LABEL_QUALITY_LIMIT = {"off": 0.0, "balanced": 0.2, "strict": 0.3}


class SyntheticConfig(FrozenConfig):
    """The generator of parametric faces with planted defects."""

    num_images: int = Field(default=2800, ge=140, description="Faces to draw, before defects.")
    validation_fraction: float = Field(
        default=0.15, gt=0, lt=0.5, description="Share of the faces in the validation split."
    )
    test_fraction: float = Field(
        default=0.15, gt=0, lt=0.5, description="Share of the faces in the test split."
    )
    exact_duplicate_fraction: float = Field(
        default=0.02, ge=0, lt=0.2, description="Exact copies to plant, as a share of the faces."
    )
    near_duplicate_fraction: float = Field(
        default=0.01, ge=0, lt=0.2, description="Slightly altered copies to plant, as a share."
    )
    leak_fraction: float = Field(
        default=0.01, ge=0, lt=0.2, description="Held-out faces to copy into training, as a share."
    )
    blank_fraction: float = Field(
        default=0.005, ge=0, lt=0.2, description="Blank frames to plant, as a share."
    )
    non_face_fraction: float = Field(
        default=0.01, ge=0, lt=0.2, description="Images without a face to plant, as a share."
    )
    label_error_fraction: float = Field(
        default=0.03, ge=0, lt=0.4, description="Training labels to falsify, as a share."
    )


class DataConfig(FrozenConfig):
    """Where the images come from."""

    sources: tuple[str, ...] = Field(
        default=(SYNTHETIC,),
        min_length=1,
        description="Files, folders and archives (packed or not; a.zip::member picks one) to join, "
        "in order, or 'synthetic'. A FER+ vote file "
        "belongs to the FER2013 table named before it.",
    )
    synthetic: SyntheticConfig = Field(
        default=SyntheticConfig(), description="Used by the source 'synthetic' only."
    )
    quarantine_bad_rows: bool = Field(
        default=False,
        description="Set aside rows and files that can't be read instead of refusing the source.",
    )


class ValidationConfig(FrozenConfig):
    """Thresholds of the data gate. Shares are 0..1 of all images unless said otherwise."""

    min_images_per_class: int = Field(
        default=20, ge=1, description="Fewer labelled training images of a class are an error."
    )
    min_images_per_split: int = Field(
        default=50, ge=1, description="Fewer images in a split that is there at all are an error."
    )
    max_class_imbalance: float = Field(
        default=10.0, ge=1, description="Largest class over smallest, in images; more is a warning."
    )
    min_mean: float = Field(
        default=5.0, ge=0, le=255, description="Mean grey value below which an image is too dark."
    )
    max_mean: float = Field(
        default=250.0, ge=0, le=255, description="Mean grey value above which it is too bright."
    )
    min_std: float = Field(
        default=2.0, ge=0, description="Grey-value standard deviation below which it is blank."
    )
    max_bad_image_fraction: float = Field(
        default=0.02, ge=0, le=1, description="Share of dark, bright or blank images; more: error."
    )
    max_duplicate_fraction: float = Field(
        default=0.10, ge=0, le=1, description="Share of exact copies; more is an error."
    )
    max_leak_fraction: float = Field(
        default=0.10,
        ge=0,
        le=1,
        description="Share of held-out images that also stand in training; more is an error.",
    )
    max_unlabelled_fraction: float = Field(
        default=1.0, ge=0, le=1, description="Share of unlabelled images; more is an error."
    )
    allow_warnings: bool = Field(
        default=True, description="Whether the gate lets warnings pass; errors never pass."
    )
    reference: str = Field(
        default="",
        description="Snapshot (id or its start) whose data the images should look like; empty: "
        "drift is not checked.",
    )
    class_drift_warning: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Jensen-Shannon distance (0..1) of the class shares from the reference's; "
        "more is a warning.",
    )
    class_drift_error: float = Field(
        default=0.2, ge=0, le=1, description="The same distance; more is an error."
    )
    pixel_drift_warning: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Kolmogorov-Smirnov distance (0..1) of the images' means, or of their "
        "standard deviations, from the reference's; more is a warning.",
    )
    pixel_drift_error: float = Field(
        default=0.25, ge=0, le=1, description="The same distance; more is an error."
    )
    share_drift_warning: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Change (0..1) of the share of exact copies, or of unlabelled images, against "
        "the reference; more is a warning.",
    )
    share_drift_error: float = Field(
        default=0.2, ge=0, le=1, description="The same change; more is an error."
    )
    severities: dict[str, Literal["error", "warning", "off"]] = Field(
        default={},
        description="Another severity for single checks by name: error, warning, or off to leave "
        "the check out.",
    )
    expectations_file: str = Field(
        default="",
        description="YAML file with expectations of your own, checked beside the others; empty: "
        "none.",
    )

    @field_validator("severities", mode="before")
    @classmethod
    def _off_is_a_word(cls, value: Any) -> Any:
        """YAML reads a bare `off` as false."""
        if not isinstance(value, dict):
            return value
        return {name: "off" if level is False else level for name, level in value.items()}

    @model_validator(mode="after")
    def _errors_lie_above_warnings(self) -> Self:
        for kind in ("class", "pixel", "share"):
            warning = getattr(self, f"{kind}_drift_warning")
            if getattr(self, f"{kind}_drift_error") < warning:
                raise ValueError(
                    f"{kind}_drift_error must not be below {kind}_drift_warning ({warning:g})"
                )
        return self


class CleaningConfig(FrozenConfig):
    """What cleaning puts in quarantine. Nothing is ever deleted."""

    policy: Literal["balanced", "strict", "off"] = Field(
        default="balanced",
        description="off: keep everything. balanced: what is surely wrong (exact and near copies, "
        "leaks, contradictions, blank frames, non-faces, the worst labels). strict: more label "
        "errors and non-faces, at the price of sound images.",
    )
    near_duplicate_min_likeness: float = Field(
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


class SplittingConfig(FrozenConfig):
    """How images get their split: train, validation (chooses everything) or test (reported)."""

    strategy: Literal["source", "stratified"] = Field(
        default="source",
        description="source: as the source says, filling in a missing validation split; "
        "stratified: drawn anew, by class, copies kept together.",
    )
    validation_fraction: float = Field(
        default=0.1, gt=0, lt=0.5, description="Share for validation where it is drawn."
    )
    test_fraction: float = Field(
        default=0.1,
        gt=0,
        lt=0.5,
        description="Share for test where it is drawn (stratified, or a source without any split).",
    )

    @model_validator(mode="after")
    def _leaves_training_images(self) -> Self:
        if self.validation_fraction + self.test_fraction > 0.8:
            raise ValueError("validation_fraction + test_fraction must leave 0.2 for training")
        return self
