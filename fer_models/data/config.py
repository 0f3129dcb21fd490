"""Settings of ingest, the data gate, cleaning and splitting."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fer_models.base_config import FrozenConfig

SYNTHETIC = "synthetic"


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
        description="Files and folders to join, in order, or 'synthetic'. A FER+ vote file "
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


class CleaningConfig(FrozenConfig):
    """What cleaning puts in quarantine. Nothing is ever deleted."""

    policy: Literal["balanced", "strict", "off"] = Field(
        default="balanced",
        description="off: keep everything. balanced: exact copies, leaks, conflicts, blank frames. "
        "strict: near copies and images that most FER+ taggers call no face, too.",
    )
    near_duplicate_distance: int = Field(
        default=10,
        ge=0,
        le=64,
        description="Perceptual-hash bits that may differ between near copies.",
    )
    near_duplicate_max_difference: float = Field(
        default=8.0,
        ge=0,
        le=255,
        description="Mean absolute grey-value difference that confirms a near copy.",
    )
    min_std: float = Field(
        default=2.0,
        ge=0,
        description="Grey-value standard deviation below which an image is blank.",
    )
    min_not_face_votes: int = Field(
        default=5, ge=1, le=10, description="FER+ votes for 'not a face' that count as no face."
    )


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
