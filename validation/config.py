"""Settings of the data gate."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from fer_models.base_config import FrozenConfig
from fer_models.dataset.config import BLANK_STD


class ValidationConfig(FrozenConfig):
    """Thresholds of the data gate. Fractions are 0..1 of all images unless noted otherwise."""

    min_images_per_class: int = Field(
        default=20,
        ge=0,
        description="Minimum labelled training images per class; fewer is an error. 0 also allows "
        "classes without images.",
    )
    min_images_per_split: int = Field(
        default=50,
        ge=1,
        description="Minimum labelled images per split that has any; fewer is an error.",
    )
    max_class_imbalance: float = Field(
        default=10.0,
        ge=1,
        description="Largest over smallest class, in images; above is a warning.",
    )
    min_mean: float = Field(
        default=5.0, ge=0, le=255, description="Mean grey value below which an image is dark."
    )
    max_mean: float = Field(
        default=250.0, ge=0, le=255, description="Mean grey value above which an image is bright."
    )
    min_std: float = Field(
        default=BLANK_STD,
        ge=0,
        description="Grey-value standard deviation below which an image is blank.",
    )
    max_bad_image_fraction: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="Fraction of dark, bright or blank images, per kind; above is an error.",
    )
    max_duplicate_fraction: float = Field(
        default=0.10, ge=0, le=1, description="Fraction of exact copies; above is an error."
    )
    max_leak_fraction: float = Field(
        default=0.10,
        ge=0,
        le=1,
        description="Fraction of held-out images that are also in training; above is an error.",
    )
    max_unlabelled_fraction: float = Field(
        default=1.0, ge=0, le=1, description="Fraction of unlabelled images; above is an error."
    )
    allow_warnings: bool = Field(
        default=True, description="Whether data with warnings passes the gate; errors never pass."
    )
    reference: str = Field(
        default="",
        description="Reference snapshot for drift (id or its beginning); empty: no drift checks.",
    )
    class_drift_warning: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Jensen-Shannon distance (0..1) between the class shares of the data and of "
        "the reference; above is a warning.",
    )
    class_drift_error: float = Field(
        default=0.2, ge=0, le=1, description="The same distance; above is an error."
    )
    pixel_drift_warning: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Kolmogorov-Smirnov distance (0..1) between the image means, or standard "
        "deviations, of the data and of the reference; above is a warning.",
    )
    pixel_drift_error: float = Field(
        default=0.25, ge=0, le=1, description="The same distance; above is an error."
    )
    share_drift_warning: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Change (0..1) of the fraction of exact copies, or of unlabelled images, "
        "relative to the reference; above is a warning.",
    )
    share_drift_error: float = Field(
        default=0.2, ge=0, le=1, description="The same change; above is an error."
    )
    severities: dict[str, Literal["error", "warning", "off"]] = Field(
        default={},
        description="Severity overrides by check name: error, warning, or off to skip the check.",
    )
    expectations_file: str = Field(
        default="",
        description="YAML file with custom expectations, checked in addition; empty: none.",
    )

    @field_validator("severities", mode="before")
    @classmethod
    def _accept_bare_off(cls, value: Any) -> Any:
        """YAML reads a bare `off` as false."""
        if not isinstance(value, dict):
            return value
        return {name: "off" if level is False else level for name, level in value.items()}

    @model_validator(mode="after")
    def _check_drift_thresholds(self) -> Self:
        for kind in ("class", "pixel", "share"):
            warning = getattr(self, f"{kind}_drift_warning")
            if getattr(self, f"{kind}_drift_error") < warning:
                raise ValueError(
                    f"{kind}_drift_error must not be below {kind}_drift_warning ({warning:g})"
                )
        return self
