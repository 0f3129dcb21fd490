"""One trial of a search, as it runs inside a Ray worker."""

import logging
import math
import os
from typing import Any

from fer_models.training.config import MemberConfig
from fer_models.training.data import TrainingData
from fer_models.training.loop import fit
from fer_models.training.results import EpochResult
from fer_models.tuning.space import Setting, apply_setting

_LOGGER = logging.getLogger(__name__)


def run_trial(
    config: dict[str, Any],
    *,
    settings: list[Setting],
    member: MemberConfig,
    data: TrainingData,
    seed: int,
    max_epochs: int,
    num_threads: int,
) -> None:
    """Train with the setting of the trial, telling Ray of every epoch, or why it failed.

    Every trial starts from the same seed, so that they differ in their settings only. A failure is
    told, not raised: Ray then runs those trials again that were lost with their worker, and no
    other.
    """
    from ray import tune

    os.environ["OMP_NUM_THREADS"] = str(num_threads)  # this process is the trial's own
    best: EpochResult | None = None
    epoch = 0

    def on_epoch(result: EpochResult) -> None:
        nonlocal best, epoch
        epoch = result.epoch
        if best is None or result.score > best.score:
            best = result
        tune.report(
            {
                "epoch": result.epoch,
                "validation_accuracy": result.validation_accuracy,
                "best_accuracy": best.validation_accuracy,
                "best_loss": best.validation_loss,
            }
        )

    try:
        tuned = apply_setting(member, setting_of(config, settings))
        training = tuned.training.model_copy(update={"epochs": max_epochs, "threads": num_threads})
        fit(data, tuned.model_copy(update={"training": training}), seed, on_epoch)
    except Exception as error:
        _LOGGER.warning("trial %s failed", config["trial"], exc_info=True)
        tune.report(_failure(epoch, error))


def setting_of(config: dict[str, Any], settings: list[Setting]) -> Setting:
    """What a trial tries: its own proposal, or the one of its number drawn beforehand."""
    proposed: Setting | None = config.get("setting")
    return settings[config["trial"]] if proposed is None else proposed


def _failure(epoch: int, error: Exception) -> dict[str, Any]:
    """Ray wants the same scores in every report."""
    nan = math.nan
    scores = {"validation_accuracy": nan, "best_accuracy": nan, "best_loss": nan}
    return {"epoch": epoch, **scores, "error": f"{type(error).__name__}: {error}"}
