"""Hyper-parameter search with Ray Tune."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fer_models.base_config import FrozenConfig


class SearchDimension(FrozenConfig):
    """One hyper-parameter and the values it may take."""

    field: str = Field(
        min_length=1, description="Path within the member, such as training.learning_rate."
    )
    kind: Literal["uniform", "log_uniform", "integer", "choice"] = Field(
        description="How values are drawn: uniform, log_uniform and integer lie in [low, high]."
    )
    low: float | None = Field(default=None, description="Lower end; not for choice.")
    high: float | None = Field(default=None, description="Upper end; not for choice.")
    choices: tuple[float | str | bool, ...] = Field(
        default=(), description="The values of a choice."
    )

    @model_validator(mode="after")
    def _has_values(self) -> Self:
        if self.kind == "choice":
            if not self.choices:
                raise ValueError(f"{self.field}: a choice needs choices")
        elif self.low is None or self.high is None or not self.low < self.high:
            raise ValueError(f"{self.field}: {self.kind} needs low < high")
        elif self.kind == "log_uniform" and self.low <= 0:
            raise ValueError(f"{self.field}: log_uniform needs low > 0")
        return self


class TuningConfig(FrozenConfig):
    """A search over some fields of one member; the best setting trains that member."""

    enabled: bool = Field(default=True, description="Whether to search at all.")
    member: str = Field(default="compact_cnn", description="Name of the member to tune.")
    search: Literal["latin_hypercube", "optuna"] = Field(
        default="latin_hypercube",
        description="How settings are found: all drawn beforehand, spread evenly; or each proposed "
        "by Optuna (TPE) from the trials before it.",
    )
    scheduler: Literal["asha", "pbt", "none"] = Field(
        default="asha",
        description="asha stops the worse trials early; pbt trains them as a population, in which "
        "the worst go on from the weights of the best with slightly changed settings.",
    )
    num_trials: int = Field(default=4, ge=1, le=10_000, description="Settings to try.")
    max_epochs: int = Field(default=3, ge=1, description="Epochs of the longest trial.")
    grace_epochs: int = Field(
        default=1, ge=1, description="Epochs before ASHA may stop a trial early."
    )
    reduction_factor: int = Field(
        default=2, ge=2, description="ASHA lets one in this many trials go on at each rung."
    )
    exchange_epochs: int = Field(
        default=1, ge=1, description="Epochs from one exchange of a population (pbt) to the next."
    )
    max_train_images: int = Field(
        default=1200, ge=32, description="Training images a trial sees (a class-balanced draw)."
    )
    max_concurrent_trials: int = Field(
        default=1,
        ge=1,
        description="Trials at a time. With 1 the search is reproducible; with more, which trials "
        "ASHA stops depends on their timing.",
    )
    cpus_per_trial: int = Field(default=2, ge=1, description="Processor cores a trial gets.")
    gpus_per_trial: float = Field(default=0.0, ge=0, description="GPUs (or a share) a trial gets.")
    search_space: tuple[SearchDimension, ...] = Field(
        default=(
            SearchDimension(
                field="training.learning_rate", kind="log_uniform", low=3e-3, high=1.5e-2
            ),
            SearchDimension(
                field="training.label_smoothing", kind="choice", choices=(0.0, 0.05, 0.1)
            ),
        ),
        description="What to search over.",
    )
