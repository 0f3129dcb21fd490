"""Population based training that makes the same decisions after a crash as without one."""

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from ray.tune.experiment import Trial as RayTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from fer_models.training.inputs.batches import derived_seed
from fer_models.tuning.config import TuningConfig
from fer_models.tuning.schedulers.perturbation import explore_setting
from fer_models.tuning.space import Setting
from fer_models.tuning.trial import METRIC, setting_of

# Of a population: how many are replaced, by as many.
_EXCHANGED_SHARE = 0.25


class PopulationScheduler(FIFOScheduler):
    """Synchronous population based training.

    Every `exchange_epochs` all trials wait for each other. Then the worst quarter goes on from
    weights, optimiser and setting of one of the best quarter, the setting changed a little. With
    fewer places than trials they take turns. What is drawn depends on the seed and the epoch only,
    so neither the number of places nor a crash changes the outcome. (Ray's own
    PopulationBasedTraining draws from the process's random numbers, exchanges before all trials
    are there when they come one by one, and forgets the population when a search is restored.)

    Source: Jaderberg et al. 2017, https://arxiv.org/abs/1711.09846.
    """

    def __init__(self, config: TuningConfig, settings: list[Setting], seed: int) -> None:
        """Take the settings that the trials start with, by number."""
        untyped: Any = super()
        untyped.__init__()
        self._config = config
        self._settings = settings
        self._seed = seed
        self._states: dict[str, TrialState] = {}
        self._exploits: list[Exploit] = []
        self._exchange_epoch = config.exchange_epochs
        self._leaving: set[str] = set()

    def on_trial_add(self, tune_controller: Any, trial: RayTrial) -> None:
        """A trial comes in, or comes back: its search was killed, or it was lost on the way."""
        if trial.trial_id in self._states:
            self._states[trial.trial_id].is_out = False
            # It is in Ray's lists already, so Ray has to know.
            tune_controller._set_trial_status(trial, RayTrial.PAUSED)  # noqa: SLF001
            return
        last = trial.last_result
        told = METRIC in last and not last.get("error")
        state = TrialState.of(trial, last) if told else TrialState(trial)
        self._states[trial.trial_id] = state
        state.is_out = trial.status in (RayTrial.TERMINATED, RayTrial.ERROR)
        if state.is_out:
            return
        # Ray would start all that are pending: they are started by `choose_trial_to_run`.
        untyped: Any = trial
        untyped.set_status(RayTrial.PAUSED)
        self._exchange_epoch = self._next_exchange()

    def on_trial_result(
        self,
        tune_controller: Any,  # noqa: ARG002
        trial: RayTrial,
        result: dict[str, Any],
    ) -> str:
        """An epoch ended: go on, or wait for the others."""
        # A trial that tells why it failed is about to end.
        next_stop = min(self._exchange_epoch, self._config.max_epochs)
        if result.get("error") or result["epoch"] < next_stop:
            return TrialScheduler.CONTINUE
        self._states[trial.trial_id] = TrialState.of(trial, result)
        self._leaving.add(trial.trial_id)
        if result["epoch"] >= self._config.max_epochs:
            return TrialScheduler.STOP
        return TrialScheduler.PAUSE

    def on_trial_complete(
        self,
        tune_controller: Any,  # noqa: ARG002
        trial: RayTrial,
        result: dict[str, Any],  # noqa: ARG002
    ) -> None:
        """A trial ended or failed: nobody waits for it any more."""
        self._states[trial.trial_id].is_out = True

    def on_trial_error(self, tune_controller: Any, trial: RayTrial) -> None:  # noqa: ARG002
        """A trial was lost; if it is to be run again, Ray adds it again at once."""
        self._states[trial.trial_id].is_out = True

    def choose_trial_to_run(self, tune_controller: Any) -> RayTrial | None:
        """The trial that lags behind most, as long as there is a place for it."""
        self._exchange_if_all_wait(tune_controller)
        self._apply_exploits(tune_controller)
        trials: list[RayTrial] = tune_controller.get_trials()
        pending = [t for t in trials if t.status == RayTrial.PENDING]
        if pending:
            return pending[0]
        running = {t.trial_id for t in trials if t.status == RayTrial.RUNNING}
        # Ray keeps a process only for a trial that is waiting for one, and a new one loads torch
        # for seconds: the next trial is chosen while the last one still hands over its checkpoint.
        self._leaving &= running
        promised = {exploit.trial.trial_id for exploit in self._exploits}
        ready = [
            t
            for t in trials
            if t.status == RayTrial.PAUSED and self._lags(t) and t.trial_id not in promised
        ]
        if not ready or len(running - self._leaving) >= self._config.max_concurrent_trials:
            return None
        return min(ready, key=lambda t: self._states[t.trial_id].epoch)

    def debug_string(self) -> str:
        """For Ray's status line."""
        return (
            f"PopulationScheduler: {len(self._states)} trials, next exchange {self._exchange_epoch}"
        )

    def _lags(self, trial: RayTrial) -> bool:
        return self._states[trial.trial_id].epoch < self._exchange_epoch

    def _exchange_if_all_wait(self, controller: Any) -> None:
        epoch = self._exchange_epoch
        living = [s for s in self._states.values() if not s.is_out]
        complete = len(controller.get_trials()) >= self._config.num_trials
        if epoch >= self._config.max_epochs or not living or not complete:
            return
        if any(s.epoch < epoch for s in living):
            return
        generator = np.random.default_rng(derived_seed(self._seed, epoch))
        ranked = sorted(living, key=lambda state: state.score)
        count = min(math.ceil(_EXCHANGED_SHARE * len(ranked)), len(ranked) // 2)
        for worst in ranked[:count]:
            source = ranked[len(ranked) - count + int(generator.integers(count))]
            copied = {"trial": source.number, "epoch": epoch}
            setting = explore_setting(
                setting_of(source.trial.config, self._settings),
                self._config.search_space,
                generator,
            )
            config = {"trial": worst.number, "setting": setting, "copied": copied}
            self._exploits.append(Exploit(worst.trial, source.trial, config))
        self._exchange_epoch = epoch + self._config.exchange_epochs

    def _apply_exploits(self, controller: Any) -> None:
        """Give trials the weights they were promised, all at once, when all have been paused.

        Ray's state of the search then holds the whole exchange, or nothing of it.
        """
        lost = {s.trial.trial_id for s in self._states.values() if s.is_out}
        self._exploits = [one for one in self._exploits if not one.involves(lost)]
        if all(exploit.is_ready for exploit in self._exploits):
            for exploit in self._exploits:
                exploit.apply(controller)
            self._exploits = []

    def _next_exchange(self) -> int:
        """Epoch of the next exchange by where the trials stand, also after a restart.

        Where all stand at an exchange, and none has gone on from another there, it is yet to come.
        """
        interval = self._config.exchange_epochs
        living = [s for s in self._states.values() if not s.is_out]
        reached = min(s.epoch for s in living) // interval * interval
        is_over = any(
            s.epoch != reached or s.trial.config.get("copied", {}).get("epoch") == reached
            for s in living
        )
        return reached + interval if is_over or not reached else reached


@dataclass
class TrialState:
    """Where a trial stood at its last exchange, or when it was added."""

    trial: RayTrial
    epoch: int = 0
    accuracy: float = 0.0
    loss: float = math.inf
    is_out: bool = False

    @classmethod
    def of(cls, trial: RayTrial, result: dict[str, Any]) -> "TrialState":
        """The state that a reported epoch gives."""
        return cls(trial, result["epoch"], result[METRIC], result["best_loss"])

    @property
    def number(self) -> int:
        """The number of its trial."""
        return int(self.trial.config["trial"])

    @property
    def score(self) -> tuple[float, float, int]:
        """Larger is better."""
        return self.accuracy, -self.loss, -self.number


class Exploit:
    """A trial that is to go on from another's checkpoint."""

    def __init__(self, trial: RayTrial, source: RayTrial, config: dict[str, Any]) -> None:
        self.trial = trial
        self._source = source
        self._config = config
        # Once paused, the source may go on before the trial has been paused, too.
        self._checkpoint = self._paused_at()

    def involves(self, trial_ids: set[str]) -> bool:
        """Whether the trial or its source is among these."""
        return bool({self.trial.trial_id, self._source.trial_id} & trial_ids)

    @property
    def is_ready(self) -> bool:
        """Whether both sides have been paused."""
        self._checkpoint = self._checkpoint or self._paused_at()
        return self._checkpoint is not None and self.trial.status == RayTrial.PAUSED

    def apply(self, controller: Any) -> None:
        """Change the trial while it is paused."""
        assert self._checkpoint is not None
        given = copy.copy(self._checkpoint)
        given.metrics = dict(given.metrics)
        trial: Any = self.trial
        trial.set_config(self._config)
        # As Ray's own PopulationBasedTraining does it.
        trial.run_metadata.checkpoint_manager._latest_checkpoint_result = given  # noqa: SLF001
        trial.run_metadata.invalidate_cache()
        controller._mark_trial_to_checkpoint(trial)  # noqa: SLF001

    def _paused_at(self) -> Any:
        paused = self._source.status == RayTrial.PAUSED
        return self._source.latest_checkpoint_result if paused else None
