"""Thresholds of drift."""

from pydantic import Field

from fer_models.base_config import FrozenConfig


class DriftConfig(FrozenConfig):
    """When recent images count as drifted.

    A measure fires only if its difference is both too large to be chance (`p_value`) and large
    enough to matter (its own threshold).

    Example:
        DriftConfig(min_images=500, max_accuracy_drop=0.03)
    """

    min_images: int = Field(
        default=100, ge=20, description="Fewer distinct recent images than this are not judged."
    )
    p_value: float = Field(
        default=0.001,
        gt=0,
        lt=0.5,
        description="Probability that a single measure fires by chance, 0..1.",
    )
    max_psi: float = Field(
        default=0.2,
        gt=0,
        description="Population stability index (PSI) of an image statistic or of the predicted "
        "classes; by convention 0.1 is a small and 0.25 a large shift.",
    )
    max_embedding_ratio: float = Field(
        default=2.0,
        ge=1,
        description="Squared MMD of the embeddings, as a multiple of what chance gives between "
        "parts of the held-out data.",
    )
    max_accuracy_drop: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="Estimated accuracy below the measured validation accuracy, 0..1.",
    )
    max_embedded_images: int = Field(
        default=500,
        ge=50,
        le=5000,
        description="Images of each side whose embeddings are compared, drawn by the seed.",
    )
    permutations: int = Field(
        default=1000,
        ge=100,
        description="Permutations for the chance distribution of the MMD.",
    )
