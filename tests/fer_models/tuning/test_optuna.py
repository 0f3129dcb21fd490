from fer_models.tuning.config import SearchDimension
from fer_models.tuning.optuna_search import optuna_search

SPACE = (
    SearchDimension(field="training.learning_rate", kind="log_uniform", low=1e-3, high=2e-2),
    SearchDimension(field="training.batch_size", kind="integer", low=8, high=32),
    SearchDimension(field="training.optimizer", kind="choice", choices=("adamw", "sgd")),
)


def _drawn(seed: int, num_trials: int = 30) -> list[dict]:
    """Proposals of a search in which a higher learning rate is better."""
    search = optuna_search(SPACE, "best_accuracy", seed)
    drawn = []
    for number in range(num_trials):
        drawn.append(search.suggest(str(number)))
        rate = drawn[-1]["setting"]["training.learning_rate"]
        search.on_trial_complete(str(number), {"best_accuracy": rate})
    return drawn


def test_proposals_are_numbered_and_within_the_space() -> None:
    drawn = _drawn(0)
    assert [one["trial"] for one in drawn] == list(range(30))
    for setting in (one["setting"] for one in drawn):
        assert 1e-3 <= setting["training.learning_rate"] <= 2e-2
        assert setting["training.batch_size"] in range(8, 33)
        assert setting["training.optimizer"] in {"adamw", "sgd"}


def test_the_same_seed_gives_the_same_proposals() -> None:
    assert _drawn(0) == _drawn(0)
    assert _drawn(0, 3) != _drawn(1, 3)


def test_later_proposals_are_better_than_the_first_ones() -> None:
    rates = [one["setting"]["training.learning_rate"] for one in _drawn(0)]
    assert sum(rates[20:]) / 10 > sum(rates[:10]) / 10


def test_a_failed_trial_has_no_value() -> None:
    search = optuna_search(SPACE, "best_accuracy", 0)
    search.suggest("a")
    search.on_trial_complete("a", {"best_accuracy": float("nan"), "error": "TrainingError: x"})
    (trial,) = search._ot_study.trials
    assert trial.state.name == "FAIL"
