"""ASHA that makes the same decisions after a crash as without one (Ray's forgets its rungs)."""

from typing import Any

from ray.tune.experiment import Trial as RayTrial
from ray.tune.schedulers import ASHAScheduler


class ResumableASHA(ASHAScheduler):
    """ASHA that rebuilds its rungs from the finished trials of a restored search.

    Ray does not save the state of a scheduler, but adds all trials again on restore. A trial that
    was interrupted is left out, because it starts over.
    """

    def on_trial_add(self, tune_controller: Any, trial: RayTrial) -> None:
        """A trial is new, or comes from a restored search."""
        super().on_trial_add(tune_controller, trial)
        if trial.status != RayTrial.TERMINATED or trial.last_result.get("error"):
            return
        bracket = self._trial_info.pop(trial.trial_id)
        for epoch, accuracy in enumerate(trial.last_result.get("curve", ()), start=1):
            bracket.on_result(trial, epoch, accuracy)
