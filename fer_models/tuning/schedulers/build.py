"""Builds the scheduler of a search."""

from typing import Any, cast

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from fer_models.tuning.config import TuningConfig
from fer_models.tuning.schedulers.asha import ResumableASHA
from fer_models.tuning.schedulers.population import PopulationScheduler
from fer_models.tuning.space import Setting


def build_scheduler(config: TuningConfig, settings: list[Setting], seed: int) -> TrialScheduler:
    """The scheduler selected by `config.scheduler`."""
    if config.scheduler == "pbt":
        return PopulationScheduler(config, settings, seed)
    if config.scheduler == "none":
        fifo: Any = FIFOScheduler
        return cast("TrialScheduler", fifo())
    return ResumableASHA(
        time_attr="epoch",
        max_t=config.max_epochs,
        grace_period=min(config.grace_epochs, config.max_epochs),
        reduction_factor=config.reduction_factor,
    )
