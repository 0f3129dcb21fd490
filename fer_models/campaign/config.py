"""The plan of a campaign: which trainings, with which seeds, in which order."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fer_models.base_config import FrozenConfig
from fer_models.training.config import MemberConfig


class Experiment(FrozenConfig):
    """One setting that is trained with several seeds.

    Example:
        Experiment(name="large", member=MemberConfig(name="large"), question="The baseline.")
    """

    name: str = Field(
        min_length=1,
        max_length=40,
        pattern=r"^[a-z0-9][a-z0-9_]*$",
        description="Unique within the plan; the name of its models.",
    )
    question: str = Field(default="", description="What it is to find out, for the table.")
    baseline: str = Field(
        default="", description="Experiment that the table compares it with; by default none."
    )
    member: MemberConfig = Field(
        description="Network and training; its name is the experiment's. `teachers` are "
        "experiments listed before it, or bundled:NAME."
    )
    seeds: tuple[int, ...] = Field(
        default=(), description="Its own seeds; by default those of the plan."
    )
    keep_weights: bool = Field(
        default=False, description="Bring the weights back, too, where there is room for them."
    )
    final_fit: bool = Field(
        default=False,
        description="Train the first seed once more on training and validation images, for the "
        "epochs that were chosen. Its weights always come back; nothing is measured for it.",
    )


class CampaignPlan(FrozenConfig):
    """All trainings of a campaign."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$",
        max_length=40,
        description="Name of the plan, also in the file name of its chart.",
    )
    budget_s: float = Field(
        default=540.0, gt=0, description="Seconds after which no training goes on, in one call."
    )
    seeds: tuple[int, ...] = Field(
        default=(0, 1, 2), min_length=1, description="Seeds of every experiment."
    )
    order: Literal["seeds", "experiments"] = Field(
        default="seeds",
        description="seeds: all experiments with their first seed, then with the second, ...; "
        "experiments: all seeds of the first experiment, then of the second, ....",
    )
    experiments: tuple[Experiment, ...] = Field(min_length=1, description="In order of priority.")

    @model_validator(mode="after")
    def _check_experiments(self) -> Self:
        problems: list[str] = []
        earlier: list[str] = []
        for experiment in self.experiments:
            problems += _problems(experiment, earlier)
            earlier.append(experiment.name)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def experiment(self, name: str) -> Experiment:
        """The experiment of that name, which must exist."""
        return next(one for one in self.experiments if one.name == name)

    def seeds_of(self, experiment: Experiment) -> tuple[int, ...]:
        """The seeds of an experiment."""
        return experiment.seeds or self.seeds


def _problems(experiment: Experiment, earlier: list[str]) -> list[str]:
    name, known = experiment.name, ", ".join(earlier) or "none"
    problems = []
    if name in earlier:
        problems.append(f"experiment {name!r} is listed twice; give one of them another name")
    if experiment.baseline and experiment.baseline not in earlier:
        problems.append(
            f"baseline of {name}: expected an experiment listed before it ({known}), got "
            f"{experiment.baseline!r}"
        )
    unknown = [one for one in experiment.member.trained_teachers if one not in earlier]
    if unknown:
        problems.append(
            f"teachers of {name}: expected experiments listed before it ({known}) or bundled:NAME, "
            f"got {', '.join(unknown)}"
        )
    return problems
