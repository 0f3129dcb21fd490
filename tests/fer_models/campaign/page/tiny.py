"""A plan of three experiments, and results of it without any training."""

from collections.abc import Sequence

from fer_models.campaign.config import CampaignPlan
from fer_models.campaign.plan import Task
from fer_models.campaign.result import VIEWS, Score, TrainingResult
from fer_models.training.config import MemberConfig

PLAN = CampaignPlan.model_validate(
    {
        "name": "tiny",
        "experiments": [
            {"name": "base", "member": MemberConfig(name="base")},
            {
                "name": "new",
                "baseline": "base",
                "question": "?",
                "member": MemberConfig(name="new"),
            },
            {"name": "later", "baseline": "base", "member": MemberConfig(name="later")},
        ],
    }
)


def result(experiment: str, seed: int, correct: int) -> TrainingResult:
    """A network that gets `correct` of 1,000 images right with any views."""
    score = Score(correct=correct, n=1000, unseen_correct=correct // 2, unseen_n=500)
    return TrainingResult(
        key=Task(PLAN.experiment(experiment), seed).key(PLAN, ""),
        experiment=experiment,
        seed=seed,
        is_final=False,
        scores=dict.fromkeys(VIEWS, score),
        model_id="",
        snapshot_id="",
        parameters=1_500_000,
        multiply_adds=80_000_000,
        epochs=9,
        best_epoch=8,
        train_seconds=60,
        machine="",
        member={},
        finished="",
    )


def results(experiment: str, correct: Sequence[int]) -> list[TrainingResult]:
    """One network for each seed from 0."""
    return [result(experiment, seed, one) for seed, one in enumerate(correct)]
