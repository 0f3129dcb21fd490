"""Which trainings a call starts; nothing is trained."""

import time
from pathlib import Path

import pytest

from fer_models.campaign.config import CampaignPlan
from fer_models.campaign.plan import Task, tasks_of
from fer_models.campaign.result import ResultsFolder
from fer_models.campaign.run import CampaignRun, RunOptions
from tests.fer_models.campaign.conftest import TINY, Campaign

PLAN = TINY.replace("    keep_weights: true\n", "")  # there are none to bring back


class Call(CampaignRun):
    """A call that only notes what it would start."""

    def __init__(self, campaign: Campaign, work: Path, plan: str, **options: object) -> None:
        (work / "plan.yaml").write_text(plan)
        settings = RunOptions(
            str(work / "plan.yaml"),
            campaign.faces,
            work,
            work / "out",
            **options,  # type: ignore[arg-type]
        )
        super().__init__(settings, lambda _: None)
        self.started: list[str] = []

    def _start(self, task: Task) -> None:
        self.started.append(task.name)


def finished(
    campaign: Campaign, plan: CampaignPlan, task: Task, work: Path, seconds: float
) -> None:
    """Pretend that a training has ended on this machine."""
    example = campaign.workplace.results.read_all()[0]
    key = task.key(plan, campaign.snapshot.id)
    names = {"experiment": task.experiment.name, "seed": task.seed, "is_final": task.is_final}
    result = example.model_copy(update={"key": key, "train_seconds": seconds, **names})
    ResultsFolder(work / "results").write(result, {})


def test_a_student_waits_for_its_teacher(campaign: Campaign, tmp_path: Path) -> None:
    call = Call(campaign, tmp_path, PLAN, jobs=9)
    call.run()
    assert call.started == ["small, seed 0", "small, seed 1"]
    finished(campaign, call.plan, tasks_of(call.plan)[0], tmp_path, 1)
    later = Call(campaign, tmp_path, PLAN, jobs=9)
    later.run()
    assert later.started == ["student, seed 0", "small, final fit", "small, seed 1"]


def test_teachers_of_teachers_are_trained_where_they_are_not_at_hand(
    campaign: Campaign, tmp_path: Path
) -> None:
    plan = PLAN + "  - name: grandchild\n    seeds: [0]\n    member: {teachers: [student]}\n"
    call = Call(campaign, tmp_path, plan)
    *others, last = (task.key(call.plan, campaign.snapshot.id) for task in tasks_of(call.plan))
    names = [task.name for task in tasks_of(call.plan)]
    grandchild = names.index("grandchild, seed 0")
    keys = [*others, last]
    done = frozenset(key for number, key in enumerate(keys) if number != grandchild)
    call = Call(campaign, tmp_path, plan, done=done, jobs=9)
    call.run()
    assert call.started == ["small, seed 0"]
    call = Call(campaign, tmp_path, plan, done=frozenset(keys), jobs=9)
    call.run()
    assert call.started == []


@pytest.mark.parametrize(("seconds", "starts"), [(10.0, True), (80.0, False), (500.0, True)])
def test_a_training_starts_if_it_ends_in_time_or_fits_no_call(
    campaign: Campaign, tmp_path: Path, seconds: float, starts: bool
) -> None:
    call = Call(campaign, tmp_path, PLAN, budget_s=100.0, jobs=9)
    finished(campaign, call.plan, tasks_of(call.plan)[0], tmp_path, seconds)
    call._deadline_s = time.time() + 40  # a part of the budget is used up
    call.run()
    assert ("small, seed 1" in call.started) == starts
