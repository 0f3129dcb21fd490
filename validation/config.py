"""Settings of the data gate."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from fer_models.base_config import FrozenConfig


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
