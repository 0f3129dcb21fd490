"""The models of a run with their accuracies, from the stored evaluations."""

from pydantic import BaseModel, ConfigDict

from fer_models.evaluation.results import (
    SETS,
    TEST_WITHOUT_LEAKS,
    TEST_WITHOUT_NEAR_COPIES,
    VALIDATION_WITHOUT_LEAKS,
    VALIDATION_WITHOUT_NEAR_COPIES,
)
from fer_models.history.reading import infos
from fer_models.history.record import RunRecord
from fer_models.storage.refs import EvaluationRef, ModelRef
from fer_models.storage.store import ArtifactStore

SPLITS = SETS
STRICTER = {
    TEST_WITHOUT_NEAR_COPIES: TEST_WITHOUT_LEAKS,
    VALIDATION_WITHOUT_NEAR_COPIES: VALIDATION_WITHOUT_LEAKS,
}
"""Sets without copies, and the set of the same split that has more of them."""


class Accuracy(BaseModel):
    """Accuracy (0..1) of n images of a split with its interval."""

    model_config = ConfigDict(frozen=True)
    n: int
    accuracy: float
    low: float
    high: float


class LeaderboardRow(BaseModel):
    """One model of a run; `parameters` is None if its artifact is gone."""

    model_config = ConfigDict(frozen=True)
    model: str
    name: str
    kind: str
    parameters: int | None
    is_candidate: bool
    splits: dict[str, Accuracy]


def leaderboard(store: ArtifactStore, record: RunRecord) -> tuple[LeaderboardRow, ...]:
    """The evaluated models of a run: members first, then ensembles.

    Missing evaluations are left out.

    Example:
        [(row.name, row.splits["test"].accuracy) for row in leaderboard(store, record)]
    """
    evaluations, _ = infos(store, EvaluationRef, record.artifacts.evaluations)
    models, _ = infos(store, ModelRef, [info["model_id"] for info in evaluations.values()])
    candidate = record.headline.candidate if record.headline else None
    return tuple(
        LeaderboardRow(
            model=info["model_id"],
            name=info["model_name"],
            kind=info["kind"],
            parameters=models.get(info["model_id"], {}).get("parameters"),
            is_candidate=info["model_id"] == candidate,
            splits={name: Accuracy(**info[name]) for name in SPLITS if name in info},
        )
        for info in evaluations.values()
    )
