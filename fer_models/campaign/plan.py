"""Read a plan, and list its trainings in their order."""

from importlib import resources
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from fer_models.campaign.config import CampaignPlan, Experiment
from fer_models.errors import ConfigError
from fer_models.storage.json_bytes import json_key
from fer_models.training.checkpoint_dir import bundled_fingerprints, member_identity
from fer_models.user_input import parse_yaml

_PLANS = resources.files("fer_models") / "campaign" / "plans"
DEFAULT_PLAN = "fer2013"


class Task(NamedTuple):
    """One training of a plan: an experiment with a seed, or its final fit."""

    experiment: Experiment
    seed: int
    is_final: bool = False

    @property
    def name(self) -> str:
        """Such as `large, seed 1` or `large, final fit`."""
        return f"{self.experiment.name}, {'final fit' if self.is_final else f'seed {self.seed}'}"

    def key(self, plan: CampaignPlan, snapshot_id: str) -> str:
        """What its result depends on, as a hash: the same on every machine.

        Not the source of the library, unlike a checkpoint's key: a campaign goes on while the
        library is worked on. Change a plan's settings, or its name, to train again.
        """
        member = self.experiment.member
        teachers = [
            Task(teacher, plan.seeds_of(teacher)[0]).key(plan, snapshot_id)
            for teacher in map(plan.experiment, member.trained_teachers)
        ]
        settings = member_identity(member)
        parts = [settings, bundled_fingerprints(member), teachers, self.seed, self.is_final]
        return json_key([plan.name, snapshot_id, *parts])


def read_plan(plan: str) -> CampaignPlan:
    """Read a plan that ferflow ships, by name, or a YAML file.

    Raises:
        ConfigError: no such plan, or it is invalid; lists all problems.
    """
    shipped = _PLANS / f"{plan}.yaml"
    source = Path(plan) if Path(plan).is_file() else shipped
    if not source.is_file():
        names = sorted(entry.name.removesuffix(".yaml") for entry in _PLANS.iterdir())
        raise ConfigError(
            f"plan {plan!r}: expected a YAML file or one of {', '.join(names)}; there is no such "
            "file"
        )
    try:
        settings = parse_yaml(source.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"plan {plan}: can't be read as YAML: {error}") from error
    try:
        return CampaignPlan.model_validate(_with_names(settings))
    except ValidationError as error:
        raise ConfigError(
            f"plan {plan} is invalid:", [_explain(item) for item in error.errors()]
        ) from error


def tasks_of(plan: CampaignPlan) -> list[Task]:
    """All trainings in the order of the plan; a final fit follows the first seed."""
    rows = [_tasks(plan, experiment) for experiment in plan.experiments]
    if plan.order == "experiments":
        return [task for row in rows for task in row]
    return [task for column in zip_longest(*rows) for task in column if task is not None]


def _tasks(plan: CampaignPlan, experiment: Experiment) -> list[Task]:
    first, *others = (Task(experiment, seed) for seed in plan.seeds_of(experiment))
    final = [Task(experiment, first.seed, is_final=True)] if experiment.final_fit else []
    return [first, *final, *others]


def _with_names(settings: Any) -> Any:
    """The settings with each member named after its experiment, and without `shared` anchors."""
    if not isinstance(settings, dict):
        return settings
    experiments = settings.get("experiments")
    if isinstance(experiments, list):
        experiments = [_with_name(one) for one in experiments]
    return {
        name: experiments if name == "experiments" else value
        for name, value in settings.items()
        if name != "shared"
    }


def _with_name(experiment: Any) -> Any:
    if not isinstance(experiment, dict) or not isinstance(experiment.get("member"), dict):
        return experiment
    training = {"half_weights": True, **(experiment["member"].get("training") or {})}
    member = {**experiment["member"], "name": experiment.get("name"), "training": training}
    return {**experiment, "member": member}


def _explain(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"]) or "plan"
    if item["type"] == "extra_forbidden":
        return f"{where}: unknown setting"
    if item["type"] == "value_error":
        return f"{where}: {item['ctx']['error']}"
    value = item.get("input")
    got = f", got {value!r}" if not isinstance(value, dict | list) else ""
    return f"{where}: {item['msg']}{got}"
