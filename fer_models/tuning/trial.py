"""One trial of a search, as it runs inside a Ray worker."""

import os
from typing import Any

from fer_models.training.config import MemberConfig
from fer_models.training.data import TrainingData
from fer_models.training.epochs import EpochResult
from fer_models.training.loop import fit
from fer_models.tuning.space import Setting, apply_setting


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
    """Train with the setting number `config["trial"]`, telling Ray of every epoch.

    Every trial starts from the same seed, so that they differ in their settings only.
    """
    from ray import tune

    os.environ["OMP_NUM_THREADS"] = str(num_threads)  # this process is the trial's own
    tuned = apply_setting(member, settings[config["trial"]])
    training = tuned.training.model_copy(update={"epochs": max_epochs, "threads": num_threads})
    best: EpochResult | None = None

    def on_epoch(result: EpochResult) -> None:
        nonlocal best
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

    fit(data, tuned.model_copy(update={"training": training}), seed, on_epoch)
