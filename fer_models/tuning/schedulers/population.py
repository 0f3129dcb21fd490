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

# Share of a population that is replaced at an exchange, by copies of an equal share.
_EXCHANGED_SHARE = 0.25


class PopulationScheduler(FIFOScheduler):
    """Synchronous population based training (PBT).

    Every `exchange_epochs` all trials wait for each other. Then each trial of the worst quarter
    copies weights, optimiser state and setting of a trial of the best quarter, and perturbs the
    setting. If fewer trials can run than there are, they take turns. Random draws depend only on
    the seed and the epoch, so neither the number of parallel trials nor a crash changes the result.

    Not Ray's own PopulationBasedTraining: it draws from the global random state, exchanges before
    all trials have been added, and forgets the population when a search is restored.

    Source: Jaderberg et al. 2017, https://arxiv.org/abs/1711.09846.
    """

    def __init__(self, config: TuningConfig, settings: list[Setting], seed: int) -> None:
        """Create the scheduler.

        Args:
            config: the search.
            settings: initial settings, by trial number.
            seed: seed of all random draws.
        """
        untyped: Any = super()
        untyped.__init__()
        self._config = config
        self._settings = settings
        self._seed = seed
        self._states: dict[str, TrialState] = {}
        self._exploits: list[Exploit] = []
        self._exchange_epoch = config.exchange_epochs
        self._pausing: set[str] = set()

    def on_trial_add(self, tune_controller: Any, trial: RayTrial) -> None:
        """A trial is new, lost its worker, or comes from a restored search."""
        if trial.trial_id in self._states:
            self._states[trial.trial_id].is_active = True
            # Ray indexes its trials by status, so the change has to go through its controller.
            tune_controller._set_trial_status(trial, RayTrial.PAUSED)  # noqa: SLF001
            return
        last = trial.last_result
        has_result = METRIC in last and not last.get("error")
        state = TrialState.from_result(trial, last) if has_result else TrialState(trial)
        self._states[trial.trial_id] = state
        state.is_active = trial.status not in (RayTrial.TERMINATED, RayTrial.ERROR)
        if not state.is_active:
            return
        # Ray would start all pending trials itself, instead of asking `choose_trial_to_run`.
        untyped: Any = trial
        untyped.set_status(RayTrial.PAUSED)
        self._exchange_epoch = self._next_exchange()

    def on_trial_result(
        self,
        tune_controller: Any,  # noqa: ARG002
        trial: RayTrial,
        result: dict[str, Any],
    ) -> str:
        """A trial finished an epoch: continue it, pause it for an exchange, or stop it."""
        next_stop = min(self._exchange_epoch, self._config.max_epochs)
        # A trial that reports an error is about to end.
        if result.get("error") or result["epoch"] < next_stop:
            return TrialScheduler.CONTINUE
        self._states[trial.trial_id] = TrialState.from_result(trial, result)
        self._pausing.add(trial.trial_id)
        if result["epoch"] >= self._config.max_epochs:
            return TrialScheduler.STOP
        return TrialScheduler.PAUSE

    def on_trial_complete(
        self,
        tune_controller: Any,  # noqa: ARG002
        trial: RayTrial,
        result: dict[str, Any],  # noqa: ARG002
    ) -> None:
        """A trial finished or failed: the others no longer wait for it."""
        self._states[trial.trial_id].is_active = False

    def on_trial_error(self, tune_controller: Any, trial: RayTrial) -> None:  # noqa: ARG002
        """A trial lost its worker; if Ray retries it, it adds it again at once."""
        self._states[trial.trial_id].is_active = False

    def choose_trial_to_run(self, tune_controller: Any) -> RayTrial | None:
        """The trial with the fewest epochs, if another one may run."""
        self._exchange_if_all_wait(tune_controller)
        self._apply_exploits(tune_controller)
        trials: list[RayTrial] = tune_controller.get_trials()
        pending = [t for t in trials if t.status == RayTrial.PENDING]
        if pending:
            return pending[0]
        running = {t.trial_id for t in trials if t.status == RayTrial.RUNNING}
        # Ray reuses a process only if a trial is waiting for it, and importing torch in a new one
        # takes seconds. So the next trial is chosen while the last one still saves its checkpoint.
        self._pausing &= running
        exploiting = {exploit.trial.trial_id for exploit in self._exploits}
        ready = [
            t
            for t in trials
            if t.status == RayTrial.PAUSED and self._is_behind(t) and t.trial_id not in exploiting
        ]
        if not ready or len(running - self._pausing) >= self._config.max_concurrent_trials:
            return None
        return min(ready, key=lambda t: self._states[t.trial_id].epoch)

    def debug_string(self) -> str:
        """The status line of Ray."""
        return (
            f"PopulationScheduler: {len(self._states)} trials, next exchange {self._exchange_epoch}"
        )

    def _is_behind(self, trial: RayTrial) -> bool:
        return self._states[trial.trial_id].epoch < self._exchange_epoch

    def _exchange_if_all_wait(self, controller: Any) -> None:
        epoch = self._exchange_epoch
        active = self._active()
        is_complete = len(controller.get_trials()) >= self._config.num_trials
        if epoch >= self._config.max_epochs or not active or not is_complete:
            return
        if any(s.epoch < epoch for s in active):
            return
        generator = np.random.default_rng(derived_seed(self._seed, epoch))
        ranked = sorted(active, key=lambda state: state.score)
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
        """Apply all exploits of an exchange at once, as soon as all their trials are paused.

        Ray's saved state of the search then holds the whole exchange or nothing of it.
        """
        lost = {s.trial.trial_id for s in self._states.values() if not s.is_active}
        self._exploits = [one for one in self._exploits if not one.involves(lost)]
        if all(exploit.is_ready for exploit in self._exploits):
            for exploit in self._exploits:
                exploit.apply(controller)
            self._exploits = []

    def _next_exchange(self) -> int:
        """Epoch of the next exchange, derived from the trials, so it survives a restart.

        If all trials are at the epoch of an exchange and none has copied another one there, that
        exchange is still due.
        """
        interval = self._config.exchange_epochs
        active = self._active()
        reached = min(s.epoch for s in active) // interval * interval
        is_done = any(
            s.epoch != reached or s.trial.config.get("copied", {}).get("epoch") == reached
            for s in active
        )
        return reached + interval if is_done or not reached else reached

    def _active(self) -> list["TrialState"]:
        return [state for state in self._states.values() if state.is_active]


@dataclass
class TrialState:
    """Epoch and scores of a trial at its last exchange, or when it was added."""

    trial: RayTrial
    epoch: int = 0
    accuracy: float = 0.0
    loss: float = math.inf
    is_active: bool = True

    @classmethod
    def from_result(cls, trial: RayTrial, result: dict[str, Any]) -> "TrialState":
        """The state after a reported epoch."""
        return cls(trial, result["epoch"], result[METRIC], result["best_loss"])

    @property
    def number(self) -> int:
        """The trial number."""
        return int(self.trial.config["trial"])

    @property
    def score(self) -> tuple[float, float, int]:
        """Higher is better: accuracy, then lower loss, then lower trial number."""
        return self.accuracy, -self.loss, -self.number


class Exploit:
    """A trial that will copy the checkpoint of another one and continue with a new setting."""

    def __init__(self, trial: RayTrial, source: RayTrial, config: dict[str, Any]) -> None:
        self.trial = trial
        self._source = source
        self._config = config
        # Taken as soon as the source is paused: it may resume before the trial itself is paused.
        self._checkpoint = self._source_checkpoint()

    def involves(self, trial_ids: set[str]) -> bool:
        """Whether the trial or its source is one of these."""
        return bool({self.trial.trial_id, self._source.trial_id} & trial_ids)

    @property
    def is_ready(self) -> bool:
        """Whether the trial is paused, and its source has been paused."""
        self._checkpoint = self._checkpoint or self._source_checkpoint()
        return self._checkpoint is not None and self.trial.status == RayTrial.PAUSED

    def apply(self, controller: Any) -> None:
        """Replace checkpoint and setting of the paused trial."""
        assert self._checkpoint is not None
        checkpoint = copy.copy(self._checkpoint)
        checkpoint.metrics = dict(checkpoint.metrics)
        trial: Any = self.trial
        trial.set_config(self._config)
        # Ray has no public way; its own PopulationBasedTraining does the same.
        trial.run_metadata.checkpoint_manager._latest_checkpoint_result = checkpoint  # noqa: SLF001
        trial.run_metadata.invalidate_cache()
        controller._mark_trial_to_checkpoint(trial)  # noqa: SLF001

    def _source_checkpoint(self) -> Any:
        is_paused = self._source.status == RayTrial.PAUSED
        return self._source.latest_checkpoint_result if is_paused else None
