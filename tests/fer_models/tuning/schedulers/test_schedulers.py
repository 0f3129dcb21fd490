"""Single decisions of the schedulers, with fake trials and a fake controller."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fer_models.tuning.config import SearchDimension, TuningConfig
from fer_models.tuning.schedulers.asha import ResumableASHA
from fer_models.tuning.schedulers.build import build_scheduler
from fer_models.tuning.schedulers.population import PopulationScheduler
from fer_models.tuning.space import draw_settings

SPACE = (SearchDimension(field="training.learning_rate", kind="log_uniform", low=1e-3, high=2e-2),)
PBT = TuningConfig(
    scheduler="pbt", num_trials=4, max_epochs=3, search_space=SPACE, max_concurrent_trials=1
)
SETTINGS = draw_settings(SPACE, 4, 0)
SEED = 0


class FakeTrial:
    """The part of Ray's trial that a scheduler reads."""

    def __init__(
        self, number: int, status: str = "PENDING", last: dict[str, Any] | None = None
    ) -> None:
        self.trial_id = f"id-{number}"
        self.config: dict[str, Any] = {"trial": number}
        self.status = status
        self.last_result = last or {}
        self.run_metadata = SimpleNamespace(
            checkpoint_manager=SimpleNamespace(_latest_checkpoint_result=None),
            invalidate_cache=lambda: None,
        )

    @property
    def latest_checkpoint_result(self) -> Any:
        return self.run_metadata.checkpoint_manager._latest_checkpoint_result

    def set_status(self, status: str) -> None:
        self.status = status

    def set_config(self, config: dict[str, Any]) -> None:
        self.config = config


class FakeController:
    """Runs one trial at a time; trial `i` reaches `accuracies[i]`, plus 0.01 per epoch."""

    def __init__(self, scheduler: PopulationScheduler, accuracies: list[float]) -> None:
        self.scheduler = scheduler
        self.accuracies = accuracies
        self.trials: list[FakeTrial] = []
        self.epochs = [0] * len(accuracies)
        self.started: list[int] = []
        self.marked: set[str] = set()
        self.set_by_scheduler: list[tuple[str, str]] = []

    def get_trials(self) -> list[FakeTrial]:
        return self.trials

    def _mark_trial_to_checkpoint(self, trial: FakeTrial) -> None:
        self.marked.add(trial.trial_id)

    def _set_trial_status(self, trial: FakeTrial, status: str) -> None:
        assert trial.status != status
        self.set_by_scheduler.append((trial.trial_id, status))
        trial.status = status

    def add(self, trial: FakeTrial) -> None:
        self.trials.append(trial)
        self.scheduler.on_trial_add(self, trial)

    def lose(self, trial: FakeTrial, epoch: int) -> None:
        """The trial loses its worker and is to resume from its checkpoint, as in Ray."""
        self.epochs[trial.config["trial"]] = epoch
        trial.status = "ERROR"
        self.scheduler.on_trial_error(self, trial)
        trial.status = "PENDING"
        self.trials.remove(trial)
        self.trials.append(trial)
        self.scheduler.on_trial_add(self, trial)

    def run_epoch(self, trial: FakeTrial) -> None:
        """Run one epoch of a trial, save its checkpoint and follow the decision."""
        number = trial.config["trial"]
        self.started.append(number)
        trial.status = "RUNNING"
        self.epochs[number] += 1
        epoch = self.epochs[number]
        accuracy = self.accuracies[number] + epoch / 100
        line = {"epoch": epoch, "validation_accuracy": accuracy, "best_loss": 1.0}
        decision = self.scheduler.on_trial_result(self, trial, line)
        kept = SimpleNamespace(checkpoint=f"{number} at {epoch}", metrics=line)
        trial.run_metadata.checkpoint_manager._latest_checkpoint_result = kept
        trial.last_result = line
        trial.status = {"PAUSE": "PAUSED", "STOP": "TERMINATED", "CONTINUE": "RUNNING"}[decision]
        if decision == "STOP":
            self.scheduler.on_trial_complete(self, trial, line)

    def next(self) -> FakeTrial | None:
        running = [trial for trial in self.trials if trial.status == "RUNNING"]
        return running[0] if running else self.scheduler.choose_trial_to_run(self)

    def run(self) -> None:
        while (trial := self.next()) is not None:
            self.run_epoch(trial)


def population(accuracies: list[float], config: TuningConfig = PBT) -> FakeController:
    controller = FakeController(PopulationScheduler(config, SETTINGS, SEED), accuracies)
    for number in range(len(accuracies)):
        controller.add(FakeTrial(number))
    return controller


def test_trials_of_a_population_take_turns() -> None:
    controller = population([0.4, 0.3, 0.2, 0.1])
    controller.run()
    assert controller.started == [0, 1, 2, 3] * 3
    assert {trial.status for trial in controller.trials} == {"TERMINATED"}


def test_the_worst_trial_copies_the_best_with_a_perturbed_setting() -> None:
    controller = population([0.4, 0.3, 0.2, 0.1])
    for _ in range(4):
        controller.run_epoch(controller.scheduler.choose_trial_to_run(controller))
    controller.scheduler.choose_trial_to_run(controller)
    best, *_, worst = controller.trials
    assert worst.latest_checkpoint_result.checkpoint == "0 at 1"
    assert worst.latest_checkpoint_result.metrics is not best.latest_checkpoint_result.metrics
    assert controller.marked == {worst.trial_id}
    assert worst.config["trial"] == 3
    assert worst.config["copied"] == {"trial": 0, "epoch": 1}
    assert worst.config["setting"] != SETTINGS[0]
    assert best.config == {"trial": 0}


def test_no_exchange_before_all_trials_are_added() -> None:
    controller = FakeController(PopulationScheduler(PBT, SETTINGS, SEED), [0.1, 0.4, 0.3, 0.2])
    for number in (0, 1):
        controller.add(FakeTrial(number))
    controller.run()
    assert controller.started == [0, 1]
    assert [trial.config for trial in controller.trials] == [{"trial": 0}, {"trial": 1}]


@pytest.mark.parametrize("lost", ["complete", "error"])
def test_a_failed_trial_does_not_block_the_others(lost: str) -> None:
    controller = population([0.4, 0.3, 0.2, 0.1])
    for number in (0, 1, 3):
        controller.run_epoch(controller.trials[number])
    assert controller.scheduler.choose_trial_to_run(controller) is controller.trials[2]
    failed = controller.trials[2]
    failed.status = "RUNNING"
    line = {"epoch": 0, "validation_accuracy": float("nan"), "error": "TrainingError: x"}
    assert controller.scheduler.on_trial_result(controller, failed, line) == "CONTINUE"
    failed.status = "ERROR"
    if lost == "complete":
        controller.scheduler.on_trial_complete(controller, failed, line)
    else:
        controller.scheduler.on_trial_error(controller, failed)
    controller.run()
    assert controller.started == [0, 1, 3, *[0, 1, 3] * 2]
    assert controller.trials[3].config["copied"]["trial"] == 0


def finished_and_partial(
    config: TuningConfig, num_epochs: int
) -> tuple[FakeController, FakeController]:
    """A finished population, and the same one after some epochs."""
    accuracies = [0.1, 0.4, 0.3, 0.2]
    finished, partial = population(accuracies, config), population(accuracies, config)
    finished.run()
    assert any("copied" in trial.config for trial in finished.trials)
    for _ in range(num_epochs):
        partial.run_epoch(partial.next())
    return finished, partial


@pytest.mark.parametrize("exchange_epochs", [1, 2, 3])
@pytest.mark.parametrize("num_epochs", range(1, 18, 2))
def test_a_lost_trial_does_not_change_the_result_of_a_population(
    num_epochs: int, exchange_epochs: int
) -> None:
    config = PBT.model_copy(update={"max_epochs": 5, "exchange_epochs": exchange_epochs})
    whole, controller = finished_and_partial(config, num_epochs)
    lost = controller.next()
    assert lost is not None
    lost.status = "RUNNING"
    reached = controller.epochs[lost.config["trial"]]
    controller.lose(lost, reached // exchange_epochs * exchange_epochs)
    # Ray's own index of trials by status is up to date.
    assert controller.set_by_scheduler == [(lost.trial_id, "PAUSED")]
    controller.run()
    by_number = sorted(controller.trials, key=lambda trial: trial.config["trial"])
    assert [trial.config for trial in by_number] == [trial.config for trial in whole.trials]
    assert {trial.status for trial in by_number} == {"TERMINATED"}


@pytest.mark.parametrize("exchange_epochs", [1, 2])
@pytest.mark.parametrize("num_epochs", [1, 4, 5, 6, 8, 9])
def test_a_restored_population_has_the_same_result_as_an_uninterrupted_one(
    num_epochs: int, exchange_epochs: int
) -> None:
    config = PBT.model_copy(update={"max_epochs": 5, "exchange_epochs": exchange_epochs})
    whole, killed = finished_and_partial(config, num_epochs)
    restored = FakeController(PopulationScheduler(config, SETTINGS, SEED), killed.accuracies)
    restored.epochs = [epoch // exchange_epochs * exchange_epochs for epoch in killed.epochs]
    for old in killed.trials:
        new = FakeTrial(old.config["trial"], old.status, old.last_result)
        new.config, new.run_metadata = old.config, old.run_metadata
        if old.status == "RUNNING":  # its last checkpoint is from the last exchange
            new.last_result = {}
            if restored.epochs[old.config["trial"]]:
                new.last_result = old.latest_checkpoint_result.metrics
        restored.add(new)
    restored.run()
    assert [t.config for t in restored.trials] == [t.config for t in whole.trials]


def test_asha_rebuilds_its_rungs_from_a_restored_search() -> None:
    config = TuningConfig(num_trials=8, max_epochs=4)
    rng = np.random.default_rng(0)
    curves = rng.uniform(0, 1, (8, 4)).tolist()
    whole, restored = (build_scheduler(config, [], SEED) for _ in range(2))
    for scheduler in (whole, restored):
        assert isinstance(scheduler, ResumableASHA)
        scheduler.set_search_properties("validation_accuracy", "max")
    ends = []
    for number, curve in enumerate(curves):
        trial = FakeTrial(number)
        whole.on_trial_add(None, trial)
        for epoch, accuracy in enumerate(curve, start=1):
            line = {"epoch": epoch, "validation_accuracy": accuracy, "curve": curve[:epoch]}
            if whole.on_trial_result(None, trial, line) == "STOP":
                break
        whole.on_trial_complete(None, trial, line)
        ends.append(FakeTrial(number, "TERMINATED", line))
    assert len({len(end.last_result["curve"]) for end in ends}) > 1
    for end in ends:
        restored.on_trial_add(None, end)
    assert restored._brackets[0]._rungs == whole._brackets[0]._rungs


def test_asha_ignores_interrupted_and_failed_trials() -> None:
    asha = build_scheduler(TuningConfig(), [], SEED)
    asha.set_search_properties("validation_accuracy", "max")
    last = {"epoch": 1, "validation_accuracy": 0.5, "curve": [0.5]}
    asha.on_trial_add(None, FakeTrial(0, "PENDING", last))
    asha.on_trial_add(None, FakeTrial(1, "TERMINATED", {**last, "error": "TrainingError: x"}))
    assert all(not rung for _, rung in asha._brackets[0]._rungs)
