"""Configuration of the ensembles."""

from typing import Literal

from pydantic import Field, field_validator

from fer_models.base_config import FrozenConfig

Method = Literal["soft_vote", "majority_vote", "weighted", "greedy", "stacking"]
Metric = Literal["accuracy", "log_loss", "macro_f1"]
METRICS: tuple[Metric, ...] = ("accuracy", "log_loss", "macro_f1")
METHODS: tuple[Method, ...] = ("soft_vote", "majority_vote", "weighted", "greedy", "stacking")
"""From the simplest to the one with the most fitted numbers: this order settles near ties."""
UNFITTED_METHODS: frozenset[Method] = frozenset({"soft_vote", "majority_vote"})
"""Their most probable classes depend on no fitted number: a temperature does not change them."""


class EnsembleConfig(FrozenConfig):
    """Ensembles to build, and how the candidate is chosen among them and the members."""

    methods: tuple[Method, ...] = Field(
        default=METHODS,
        min_length=1,
        description="soft_vote: mean of the members' probabilities; majority_vote: one vote per "
        "member; weighted: weights that minimise the cross-entropy; greedy: members added one by "
        "one, with replacement, while `choose_by` improves; stacking: multinomial logistic "
        "regression on the members' log-probabilities.",
    )
    choose_by: Metric = Field(
        default="accuracy",
        description="Cross-validated metric that selects the candidate among members and "
        "ensembles.",
    )
    folds: int = Field(
        default=5,
        ge=3,
        le=20,
        description="Folds of the cross-validation on the validation images, fewer if there are "
        "fewer groups of copies.",
    )
    min_gain_se: float = Field(
        default=2.0,
        ge=0,
        le=10,
        description="Gain over the best member from which an ensemble may become the candidate, "
        "in standard errors of the paired difference.",
    )

    @field_validator("methods")
    @classmethod
    def _unique(cls, methods: tuple[Method, ...]) -> tuple[Method, ...]:
        twice = sorted({method for method in methods if methods.count(method) > 1})
        if twice:
            raise ValueError(f"expected each method once, got {', '.join(twice)} more than once")
        return methods
