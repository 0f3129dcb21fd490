"""Configuration of the ensembles."""

from typing import Literal

from pydantic import Field

from fer_models.base_config import FrozenConfig


class EnsembleConfig(FrozenConfig):
    """Ensembles to build; every selection uses the validation split."""

    methods: tuple[Literal["soft_vote", "weighted"], ...] = Field(
        default=("soft_vote", "weighted"),
        min_length=1,
        description="soft_vote: mean of the members' probabilities; weighted: weights on the "
        "simplex that minimise the validation cross-entropy.",
    )
    choose_by: Literal["accuracy", "log_loss", "macro_f1"] = Field(
        default="accuracy",
        description="Validation metric that selects the candidate among members and ensembles.",
    )
