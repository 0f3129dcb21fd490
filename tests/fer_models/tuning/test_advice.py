"""Settings that messages about a search name: following them changes the verdict."""

import sys

import pytest

from fer_models.errors import ConfigError, FerError, TrainingError
from fer_models.ray_cluster import require_room
from fer_models.training.config import MemberConfig
from fer_models.tuning import progress_callback
from fer_models.tuning.config import SearchDimension, TuningConfig
from fer_models.tuning.progress_callback import ProgressCallback
from fer_models.tuning.schedulers.perturbation import check_population
from fer_models.tuning.tune import trial_demand
from flows.pipeline_config import PipelineConfig
from flows.recipes import load_config
from flows.train_models import _tune
from tests.fer_models.following import advice, changed, refusal, tuned

MEMBER = MemberConfig(name="compact_cnn")
RATE = SearchDimension(field="training.learning_rate", kind="log_uniform", low=1e-3, high=1e-2)
WIDTH = SearchDimension(field="network.width", kind="uniform", low=0.5, high=1)
POPULATION = TuningConfig(scheduler="pbt", num_trials=4, search_space=(RATE,))


@pytest.mark.parametrize(
    ("settings", "advised"),
    [
        (["tuning.search=optuna"], ["tuning.search"]),
        (["tuning.num_trials=1"], ["tuning.num_trials"]),
        (["tuning.exchange_epochs=3"], ["tuning.max_epochs"]),
        (
            ["tuning.exchange_epochs=5", "tuning.search=optuna", "tuning.num_trials=1"],
            ["tuning.search", "tuning.num_trials", "tuning.max_epochs"],
        ),
    ],
)
def test_a_population_is_accepted_with_the_settings_that_its_problems_name(
    settings: list[str], advised: list[str]
) -> None:
    refused = tuned(POPULATION, *settings)
    with pytest.raises(ConfigError) as caught:
        check_population(refused)
    proposed = [one for problem in caught.value.problems for one in advice(problem)]
    assert sorted(one.partition("=")[0] for one in proposed) == sorted(advised)
    check_population(tuned(refused, *proposed))
    assert caught.value.message == "tuning.scheduler=pbt conflicts with other settings"


def test_trials_of_a_population_train_in_one_process_as_proposed() -> None:
    member = changed(MEMBER, "training.workers=3")

    def check(one: MemberConfig) -> None:
        check_population(POPULATION, one.training.workers)

    [proposed] = advice(refusal(check, member))
    check(changed(member, proposed))


def test_a_field_that_can_not_change_is_taken_out_of_the_search_space() -> None:
    refused = POPULATION.model_copy(update={"search_space": (RATE, WIDTH)})
    message = refusal(check_population, refused)
    assert "network.width: can't change" in message
    assert "take it out of tuning.search_space" in message
    check_population(POPULATION)
    empty = refusal(check_population, POPULATION.model_copy(update={"search_space": ()}))
    assert "tuning.search_space is empty: name at least one field" in empty


@pytest.mark.parametrize(
    ("node", "settings", "lowered"),
    [
        ({"CPU": 2.0}, ["tuning.cpus_per_trial=4"], "tuning.cpus_per_trial=2"),
        (
            {"CPU": 2.0, "GPU": 1.0},
            ["tuning.cpus_per_trial=1", "tuning.gpus_per_trial=2"],
            "tuning.gpus_per_trial=1",
        ),
    ],
)
def test_a_trial_fits_after_lowering_what_is_named(
    node: dict[str, float], settings: list[str], lowered: str
) -> None:
    def check(config: TuningConfig) -> None:
        require_room(trial_demand(config, MEMBER, 0), [node])

    refused = tuned(TuningConfig(), *settings)
    assert f"lower {lowered.partition('=')[0]}" in refusal(check, refused).replace(
        " or ", " lower "
    )
    check(tuned(refused, lowered))


def searches(config: PipelineConfig, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a run with this configuration starts a search."""
    started: list[object] = []
    module = sys.modules[_tune.__module__]  # the package has a flow of this name
    monkeypatch.setattr(module, "tune", lambda *_: started.append(1))
    _tune(config, None)  # type: ignore[arg-type]
    return bool(started)


def test_a_run_without_the_search_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """All messages about a failed search propose it."""
    assert searches(load_config("demo"), monkeypatch)
    for message in (_nothing_finished(monkeypatch), _no_member()):
        assert "or set tuning.enabled=false" in message
    assert not searches(load_config("demo", ["tuning.enabled=false"]), monkeypatch)


def _nothing_finished(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(progress_callback, "_FIRST_EPOCH_TIMEOUT_S", 0.0)
    callback = ProgressCallback(num_trials=2, max_epochs=1)
    with pytest.raises(TrainingError, match=r"lower tuning\.max_train_images") as caught:
        callback.on_step_end()
    return caught.value.message


def _no_member() -> str:
    with pytest.raises(FerError) as caught:
        load_config("demo", ["tuning.member=nobody"])
    load_config("demo", ["tuning.member=nobody", "tuning.enabled=false"])
    [offered] = [one for one in caught.value.problems if "expected one of" in one]
    for name in offered.partition("expected one of ")[2].partition(";")[0].split(", "):
        load_config("demo", [f"tuning.member={name}"])
    return "\n".join(caught.value.problems)


def test_a_member_with_teachers_is_not_searched_as_proposed() -> None:
    taught = ["members.scratch_cnn.teachers=[compact_cnn]", "tuning.member=scratch_cnn"]
    with pytest.raises(FerError) as caught:
        load_config("demo", taught)
    assert "choose another member, or set tuning.enabled=false" in str(caught.value)
    load_config("demo", [*taught, "tuning.enabled=false"])
    load_config("demo", [*taught, "tuning.member=resnet10t"])
