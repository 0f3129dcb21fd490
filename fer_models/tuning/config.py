"""Settings of a hyper-parameter search."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fer_models.base_config import FrozenConfig


class SearchDimension(FrozenConfig):
    """One hyper-parameter and the values it may take."""

    field: str = Field(
        min_length=1, description="Path of the field in the member, such as training.learning_rate."
    )
    kind: Literal["uniform", "log_uniform", "integer", "choice"] = Field(
        description="Distribution of the values; uniform, log_uniform and integer draw from "
        "[low, high]."
    )
    low: float | None = Field(default=None, description="Lower bound; not for choice.")
    high: float | None = Field(default=None, description="Upper bound; not for choice.")
    choices: tuple[float | str | bool, ...] = Field(default=(), description="Values of a choice.")

    @model_validator(mode="after")
    def _has_values(self) -> Self:
        if self.kind == "choice":
            if not self.choices:
                raise ValueError(f"{self.field}: kind=choice needs choices")
        elif self.low is None or self.high is None or not self.low < self.high:
            raise ValueError(f"{self.field}: kind={self.kind} needs low < high")
        elif self.kind == "log_uniform" and self.low <= 0:
            raise ValueError(f"{self.field}: kind=log_uniform needs low > 0")
        return self


class TuningConfig(FrozenConfig):
    """A search over fields of one member, which is then trained with the best setting."""

    enabled: bool = Field(default=True, description="Whether to search.")
    member: str = Field(default="compact_cnn", description="Name of the member to tune.")
    search: Literal["latin_hypercube", "optuna"] = Field(
        default="latin_hypercube",
        description="latin_hypercube draws all settings up front, spread evenly; optuna (TPE) "
        "proposes each setting from the results of earlier trials.",
    )
    scheduler: Literal["asha", "pbt", "none"] = Field(
        default="asha",
        description="asha stops the worse trials early; pbt (population based training) lets the "
        "worst trials copy the weights of the best ones and perturb their settings; none runs "
        "every trial to the end.",
    )
    num_trials: int = Field(
        default=4, ge=1, le=10_000, description="Number of trials, one setting each."
    )
    max_epochs: int = Field(
        default=3, ge=1, description="Epochs of a trial that is not stopped early."
    )
    grace_epochs: int = Field(
        default=1, ge=1, description="Epochs before ASHA may stop a trial early."
    )
    reduction_factor: int = Field(
        default=2, ge=2, description="At each rung, ASHA continues one in this many trials."
    )
    exchange_epochs: int = Field(
        default=1, ge=1, description="Epochs between two exchanges of a population (pbt)."
    )
    max_train_images: int = Field(
        default=1200, ge=32, description="Training images per trial (a class-balanced sample)."
    )
    max_concurrent_trials: int = Field(
        default=1,
        ge=1,
        description="Trials that run in parallel. With 1 the search is reproducible; with more, "
        "the trials that ASHA stops depend on timing.",
    )
    cpus_per_trial: int = Field(default=2, ge=1, description="CPU cores per trial.")
    gpus_per_trial: float = Field(
        default=0.0, ge=0, description="GPUs per trial; may be a fraction."
    )
    search_space: tuple[SearchDimension, ...] = Field(
        default=(
            SearchDimension(
                field="training.learning_rate", kind="log_uniform", low=3e-3, high=1.5e-2
            ),
            SearchDimension(
                field="training.label_smoothing", kind="choice", choices=(0.0, 0.05, 0.1)
            ),
        ),
        description="Fields to search, and their values.",
    )
