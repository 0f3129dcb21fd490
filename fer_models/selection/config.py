"""Settings of the selection; imports no heavy package, so that the command line shows them fast."""

from typing import Literal

from pydantic import Field

from fer_models.base_config import FrozenConfig

Measure = Literal["auto", "margin", "entropy", "disagreement"]
DEFAULT_COUNT = 100


class SelectionConfig(FrozenConfig):
    """How many faces are chosen, and by what.

    Example:
        SelectionConfig(count=200, by="entropy")
    """

    count: int = Field(default=DEFAULT_COUNT, ge=1, le=5000, description="Faces to choose.")
    by: Measure = Field(
        default="auto",
        description="What makes the model unsure: a small margin between the two most probable "
        "classes, entropy, or disagreement of an ensemble's members. auto: disagreement for an "
        "ensemble, else margin.",
    )
    candidates_per_face: int = Field(
        default=10,
        ge=1,
        description="The chosen faces are spread over this many times as many of the least sure "
        "ones; 1 chooses the least sure ones, however alike.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of the clustering.")
