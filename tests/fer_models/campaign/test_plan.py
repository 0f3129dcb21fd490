from pathlib import Path

import pytest
import yaml

from fer_models.campaign.config import CampaignPlan
from fer_models.campaign.plan import DEFAULT_PLAN, Task, read_plan, tasks_of
from fer_models.errors import ConfigError
from fer_models.models.summary import summarize
from fer_models.training.config import MemberConfig
from flows.recipes.built_in import recipe_path
from tests.fer_models.campaign.conftest import TINY


def written(tmp_path: Path, text: str) -> CampaignPlan:
    file = tmp_path / "plan.yaml"
    file.write_text(text)
    return read_plan(str(file))


def test_trainings_are_listed_by_seed_or_by_experiment(tmp_path: Path) -> None:
    by_seed = [task.name for task in tasks_of(written(tmp_path, TINY))]
    assert by_seed == ["small, seed 0", "student, seed 0", "small, final fit", "small, seed 1"]
    plan = written(tmp_path, TINY.replace("seeds: [0, 1]", "seeds: [0, 1]\norder: experiments", 1))
    by_experiment = [task.name for task in tasks_of(plan)]
    assert by_experiment == [
        "small, seed 0",
        "small, final fit",
        "small, seed 1",
        "student, seed 0",
    ]


def test_a_training_is_named_by_all_that_it_depends_on(tmp_path: Path) -> None:
    plan = written(tmp_path, TINY)
    slower = written(tmp_path, TINY.replace("learning_rate: 0.02", "learning_rate: 0.01"))
    small, student = plan.experiments
    keys = {
        Task(small, 0).key(plan, "a"),
        Task(small, 0).key(plan, "b"),
        Task(small, 1).key(plan, "a"),
        Task(small, 0, is_final=True).key(plan, "a"),
        Task(student, 0).key(plan, "a"),
        Task(slower.experiments[0], 0).key(slower, "a"),
        Task(slower.experiments[1], 0).key(slower, "a"),
    }
    assert len(keys) == 7
    asked = written(tmp_path, TINY.replace("Do stripes teach?", "What do stripes teach?"))
    assert Task(asked.experiments[0], 0).key(asked, "a") == Task(small, 0).key(plan, "a")


def test_the_student_depends_on_how_its_teacher_was_trained(tmp_path: Path) -> None:
    plan = written(tmp_path, TINY)
    teacher = "member: {network: {name: compact_cnn, width: 0.25}, training: *training}"
    assert teacher in TINY
    wider = written(tmp_path, TINY.replace(teacher, teacher.replace("0.25", "0.5")))
    keys = {Task(one.experiments[1], 0).key(one, "a") for one in (plan, wider)}
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("name: tiny", "name: ../tiny", "name"),
        ("baseline: small", "baseline: large", "got 'large'"),
        ("teachers: [small]", "teachers: [student]", "expected experiments listed before it"),
        ("name: student", "name: small", "listed twice"),
        ("width: 0.25", "widht: 0.25", "unknown setting"),
        ("budget_s: 600", "budget_s: -1", "budget_s"),
        ("teacher_copies: 1", "workers: 2", "set workers=1"),
        ("seeds: [0, 1]", "seeds: [0, 1", "can't be read as YAML"),
    ],
)
def test_a_wrong_plan_says_what_to_change(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in TINY
    with pytest.raises(ConfigError) as caught:
        written(tmp_path, TINY.replace(old, new, 1))
    assert problem in str(caught.value)


def test_an_unknown_plan_lists_those_that_are_shipped() -> None:
    with pytest.raises(ConfigError, match=DEFAULT_PLAN):
        read_plan("fer2031")


@pytest.mark.parametrize("name", [DEFAULT_PLAN, "ablations"])
def test_a_shipped_plan_trains_every_experiment_with_three_seeds(name: str) -> None:
    plan = read_plan(name)
    assert plan.name == name
    assert all(len(plan.seeds_of(one)) >= 3 for one in plan.experiments)
    assert all(one.question for one in plan.experiments)
    assert all(one.member.training.half_weights for one in plan.experiments)


def test_the_shipped_students_are_as_small_as_their_questions_say() -> None:
    plan = read_plan(DEFAULT_PLAN)
    small = summarize(plan.experiment("student_small").member.network)
    assert small.parameters < 1_000_000
    assert 2 * small.multiply_adds <= 80_000_000
    fast = summarize(plan.experiment("student_fast").member.network)
    assert fast.multiply_adds <= 81_000_000


def test_every_ablation_changes_one_thing_of_the_recipe_fer2013_quick() -> None:
    """And what that one needs: another batch and rate with AdamW, half the epochs with SAM."""
    plan = read_plan("ablations")
    [member] = yaml.safe_load(recipe_path("fer2013-quick").read_text())["members"]
    recipe = MemberConfig.model_validate(member)
    base, *others = plan.experiments
    assert base.member.network == recipe.network
    assert changed(recipe, base.member) == {"half_weights", "threads"}
    differences = {one.name: changed(base.member, one.member) for one in others}
    assert {one.baseline for one in others} == {base.name}
    assert all(one.member.network == base.member.network for one in others)
    several = {"adamw": 3, "generalized": 2, "sharpness": 2}
    assert {name: len(keys) for name, keys in differences.items()} == {
        one.name: several.get(one.name, 1) for one in others
    }


def changed(one: MemberConfig, other: MemberConfig) -> set[str]:
    ours, theirs = one.training.model_dump(), other.training.model_dump()
    return {name for name, value in ours.items() if value != theirs[name]}
