"""Settings of the synthetic faces."""

from pydantic import Field

from fer_models.base_config import FrozenConfig


class SyntheticConfig(FrozenConfig):
    """The generator of parametric faces with planted defects.

    Example:
        SyntheticConfig(num_images=7000, label_error_fraction=0.1)
    """

    num_images: int = Field(
        default=2800,
        ge=140,
        description="Faces to draw, before copies and other defects are added.",
    )
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
        default=0.01, ge=0, lt=0.2, description="Near duplicates to plant, as a share of the faces."
    )
    leak_fraction: float = Field(
        default=0.01,
        ge=0,
        lt=0.2,
        description="Held-out faces to copy into training, as a share of the faces.",
    )
    blank_fraction: float = Field(
        default=0.005, ge=0, lt=0.2, description="Blank images to plant, as a share of the faces."
    )
    non_face_fraction: float = Field(
        default=0.01,
        ge=0,
        lt=0.2,
        description="Images without a face to plant, as a share of the faces.",
    )
    label_error_fraction: float = Field(
        default=0.03,
        ge=0,
        lt=0.4,
        description="Wrong training labels to plant, as a share of the faces.",
    )
