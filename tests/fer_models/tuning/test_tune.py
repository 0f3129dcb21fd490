import os
import pickle
import sys
from dataclasses import dataclass

import pytest

from fer_models import ray_cluster, ray_start
from fer_models.errors import ConfigError, TrainingError
from fer_models.models.config import NetworkConfig
from fer_models.progress import Progress, listening
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import TuningRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig, TrainingConfig
from fer_models.tuning.config import SearchDimension, TuningConfig
from fer_models.tuning.outcome import Trial
from fer_models.tuning.progress_callback import ProgressCallback
from fer_models.tuning.tune import apply_tuning, tune_member
from tests.fer_models.training.faces import write_faces

MEMBER = MemberConfig(
    name="small",
    network=NetworkConfig(width=0.25),
    training=TrainingConfig(batch_size=28, learning_rate=1e-2),
)
# Batch normalisation fails on a batch of one, so that trial fails.
SEARCH = TuningConfig(
    member="small",
    num_trials=3,
    max_epochs=2,
    max_train_images=84,
    cpus_per_trial=1,
    search_space=(
        SearchDimension(field="training.learning_rate", kind="log_uniform", low=1e-3, high=2e-2),
        SearchDimension(field="training.batch_size", kind="choice", choices=(1, 14, 28)),
    ),
)


@dataclass(frozen=True)
class FinishedSearch:
    """A finished search and its progress events."""

    store: ArtifactStore
    tuning: TuningRef
    events: list[Progress]


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> FinishedSearch:
    """One real search on Ray."""
    folder = tmp_path_factory.mktemp("folder with spaces")
    store = ArtifactStore(StoreConfig(url=str(folder / "store")))
    events: list[Progress] = []
    with pytest.MonkeyPatch.context() as patch, listening(events.append):
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.chdir(folder)
        tuning = tune_member(store, write_faces(store), MEMBER, SEARCH, 0)
    assert {path.name for path in folder.iterdir()} == {"store"}
    return FinishedSearch(store, tuning, events)


def test_a_search_does_not_import_wandb_for_telemetry(searched: FinishedSearch) -> None:
    assert searched.tuning.id
    assert "ray.air.integrations.wandb" not in sys.modules


def test_a_search_writes_its_trials_and_the_best(searched: FinishedSearch) -> None:
    trials = searched.store.read_json(searched.tuning, "trials.json")
    assert len(trials) == 2
    for trial in trials:
        assert set(trial) == set(Trial.__dataclass_fields__)
        assert 0 <= trial["validation_accuracy"] <= 1
        assert 1e-3 <= trial["setting"]["training.learning_rate"] <= 2e-2
        assert trial["stopped_early"] == (trial["epochs"] < 2)
        assert len(trial["curve"]) == trial["epochs"]
        assert max(trial["curve"]) == pytest.approx(trial["validation_accuracy"], abs=1e-4)
        assert trial["schedule"] == []
    best = max(trials, key=lambda t: (t["validation_accuracy"], -t["validation_loss"]))
    assert searched.store.read_json(searched.tuning, "best.json") == best["setting"]
    info = searched.store.info(searched.tuning)
    assert info["member"] == "small"
    assert info["best_accuracy"] == best["validation_accuracy"]


def test_a_failing_trial_does_not_fail_the_search(searched: FinishedSearch) -> None:
    info = searched.store.info(searched.tuning)
    assert info["num_failed"] == 1
    (reason,) = info["failed"].values()
    assert "training.batch_size=2" in reason


def test_a_search_reports_its_progress(searched: FinishedSearch) -> None:
    done = [p.done for p in searched.events]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, 3)
    assert {p.total for p in searched.events} == {3}
    assert "best accuracy" in searched.events[-1].note


def test_ray_is_shut_down_after_the_search(searched: FinishedSearch) -> None:
    import ray

    assert not ray.is_initialized()


def test_the_best_setting_is_applied_to_its_member_only(searched: FinishedSearch) -> None:
    tuned = apply_tuning(searched.store, MEMBER, searched.tuning)
    best = searched.store.read_json(searched.tuning, "best.json")
    assert tuned.training.learning_rate == best["training.learning_rate"]
    assert tuned.training.batch_size == best["training.batch_size"]
    assert tuned.training.epochs == MEMBER.training.epochs
    other = MEMBER.model_copy(update={"name": "other"})
    assert apply_tuning(searched.store, other, searched.tuning) == other
    assert apply_tuning(searched.store, MEMBER, None) == MEMBER


def test_an_unknown_field_is_rejected_before_ray_starts(store: ArtifactStore) -> None:
    dimension = SearchDimension(field="training.nothing", kind="uniform", low=0, high=1)
    config = SEARCH.model_copy(update={"search_space": (dimension,)})
    with pytest.raises(ConfigError, match=r"training\.nothing.*training\.learning_rate"):
        tune_member(store, write_faces(store), MEMBER, config, 0)


def test_trials_are_ranked_by_accuracy_then_loss_then_number() -> None:
    def trial(number: int, accuracy: float, loss: float) -> Trial:
        return Trial(number, {}, 1, accuracy, loss, stopped_early=False)

    assert max(trial(0, 0.5, 1), trial(1, 0.6, 2), key=lambda t: t.score).trial == 1
    assert max(trial(0, 0.5, 1), trial(1, 0.5, 0.9), key=lambda t: t.score).trial == 1
    assert max(trial(0, 0.5, 1), trial(1, 0.5, 1), key=lambda t: t.score).trial == 0


class FakeTrial:
    """The part of Ray's trial that the callback reads."""

    def __init__(self, number: int) -> None:
        self.config = {"trial": number}


def test_a_failed_trial_can_not_be_the_best() -> None:
    events: list[Progress] = []
    progress = ProgressCallback(1, 2)
    with listening(events.append):
        result = {"epoch": 1, "validation_accuracy": 0.8, "best_accuracy": 0.9}
        progress.on_trial_result(trial=FakeTrial(0), result=result)
        progress.on_trial_error(trial=FakeTrial(0))
    assert progress.last == {}
    assert events[-1].note == "no epoch finished yet"


def test_a_restored_callback_continues_with_its_curves_and_counts() -> None:
    killed, restored = ProgressCallback(2, 3), ProgressCallback(2, 3)
    for number, accuracy in ((0, 0.5), (1, 0.4)):
        result = {"epoch": 1, "validation_accuracy": accuracy, "best_accuracy": accuracy}
        killed.on_trial_result(trial=FakeTrial(number), result=result)
    killed.on_trial_complete(trial=FakeTrial(1))
    restored.set_state(pickle.loads(pickle.dumps(killed.get_state())))
    events: list[Progress] = []
    result = {"epoch": 2, "validation_accuracy": 0.7, "best_accuracy": 0.7}
    with listening(events.append):
        restored.on_trial_result(trial=FakeTrial(0), result=result)
    assert result["curve"] == [0.5, 0.7]
    assert events[-1].done == pytest.approx(1 + 2 / 3)
    assert events[-1].note == "best accuracy 0.700"


def test_a_search_is_aborted_if_no_trial_finishes_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    progress = ProgressCallback(1, 2)
    progress.on_step_end()
    monkeypatch.setattr("fer_models.tuning.progress_callback._FIRST_EPOCH_TIMEOUT_S", 0.0)
    with pytest.raises(TrainingError, match=r"no trial .*tuning\.enabled=false"):
        progress.on_step_end()


def test_an_interpreter_in_a_path_with_a_space_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/plain/.venv/bin/python")
    assert ray_start._worker_environment() == {}
    monkeypatch.setattr(sys, "executable", "/a b/python")
    assert ray_start._worker_environment() == {"py_executable": "'/a b/python'"}


def test_temporary_variables_do_not_override_those_of_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FERFLOW_OWN", "mine")
    with ray_cluster.environment({"FERFLOW_OWN": "theirs", "FERFLOW_NEW": "x"}):
        assert (os.environ["FERFLOW_OWN"], os.environ["FERFLOW_NEW"]) == ("mine", "x")
    assert "FERFLOW_NEW" not in os.environ
