"""ASHA that makes the same decisions after a crash as without one."""

from typing import Any

from ray.tune.experiment import Trial as RayTrial
from ray.tune.schedulers import ASHAScheduler


class ResumableASHA(ASHAScheduler):
    """ASHA that learns from the trials of a restored search how those before stood.

    Ray keeps no scheduler's state, but hands it all trials again. The one that was cut off is left
    out: it starts anew, and is judged anew.
    """

    def on_trial_add(self, tune_controller: Any, trial: RayTrial) -> None:
        """A trial comes in, or comes back."""
        super().on_trial_add(tune_controller, trial)
        if trial.status != RayTrial.TERMINATED or trial.last_result.get("error"):
            return
        bracket = self._trial_info.pop(trial.trial_id)
        for place, accuracy in enumerate(trial.last_result.get("curve", ())):
            bracket.on_result(trial, place + 1, accuracy)
