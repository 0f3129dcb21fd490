"""One trial of a search, running in a Ray worker."""

import logging
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fer_models.training.config import MemberConfig
from fer_models.training.engine.fit import fit
from fer_models.training.engine.results import EpochResult
from fer_models.training.inputs.data import TrainingData
from fer_models.training.inputs.progressive_resizing import num_resizing_epochs
from fer_models.tuning.space import Setting, apply_setting
from fer_models.tuning.trial_workers import fit_trial

_LOGGER = logging.getLogger(__name__)
METRIC = "validation_accuracy"
"""The metric that trials report and are compared by."""
_CHECKPOINT = "last.ckpt"


def run_trial(
    config: dict[str, Any],
    *,
    settings: list[Setting],
    member: MemberConfig,
    data: tuple[Any],
    seed: int,
    max_epochs: int,
    num_threads: int,
    exchange_epochs: int | None = None,
) -> None:
    """Train with the setting of the trial, and report every epoch, or a failure, to Ray.

    All trials start from the same seed, so they differ in their settings only. A failure is
    reported, not raised, so that Ray retries only trials that lost their worker. A trial of a
    population saves a checkpoint every `exchange_epochs`, resumes from the one that Ray provides,
    and is judged by its last epoch, not by its best.

    Args:
        config: `trial`, its number; and `setting`, if not the one of its number in `settings`.
        settings: all settings drawn up front, by trial number.
        member: the member to tune.
        data: a reference to the images in Ray's object store, which the trials of a node share.
        seed: seed of all random draws.
        max_epochs: epochs of a trial that is not stopped early.
        num_threads: threads to compute with.
        exchange_epochs: epochs between two exchanges of a population; None for other searches.
    """
    import ray

    os.environ["OMP_NUM_THREADS"] = str(num_threads)  # this process runs nothing else
    reporter = TrialReporter(config, setting_of(config, settings), max_epochs, exchange_epochs)
    try:
        tuned = apply_setting(member, reporter.setting)
        reporter.num_resizing_epochs = num_resizing_epochs(
            _with_training(tuned, {"epochs": max_epochs})
        )
        changes: dict[str, Any] = {"epochs": max_epochs, "threads": num_threads}
        if tuned.training.workers > 1:
            fit_trial(data[0], _with_training(tuned, changes), seed, reporter.report)
            return
        images: TrainingData = ray.get(data[0])
        if exchange_epochs is None:
            fit(images, _with_training(tuned, changes), seed, reporter.report)
            return
        with _checkpoint_file() as reporter.checkpoint:
            # All trials of a population train equally long, and hand over their last epoch.
            equal = _with_training(tuned, {**changes, "patience": 0, "checkpoint_every_s": 0.0})
            fit(images, equal, seed, reporter.report, reporter.checkpoint)
    except Exception as error:
        _LOGGER.warning("trial %s failed", config["trial"], exc_info=True)
        reporter.report_failure(error)


def setting_of(config: dict[str, Any], settings: list[Setting]) -> Setting:
    """The setting of a trial: its own, or the one drawn up front for its number."""
    proposed: Setting | None = config.get("setting")
    return settings[config["trial"]] if proposed is None else proposed


class TrialReporter:
    """Reports the epochs of a trial to Ray."""

    def __init__(
        self,
        config: dict[str, Any],
        setting: Setting,
        max_epochs: int,
        exchange_epochs: int | None,
    ) -> None:
        self.setting = setting
        self.checkpoint: Path | None = None
        self.num_resizing_epochs = 0
        """First epochs, on smaller images, which a training would never keep."""
        self._copied = config.get("copied")
        self._max_epochs = max_epochs
        self._exchange_epochs = exchange_epochs
        self._best: EpochResult | None = None
        self._epoch = 0

    def report(self, result: EpochResult) -> None:
        """Report a finished epoch, with a checkpoint if an exchange follows."""
        from ray import tune

        self._epoch = result.epoch
        best = self._best
        may_be_kept = best is not None and best.epoch > self.num_resizing_epochs
        if best is None or not may_be_kept or result.score > best.score or self._exchange_epochs:
            best = self._best = result
        metrics: dict[str, Any] = {
            "epoch": result.epoch,
            "validation_accuracy": result.validation_accuracy,
            "best_accuracy": best.validation_accuracy,
            "best_loss": best.validation_loss,
        }
        if self._exchange_epochs is None:
            tune.report(metrics)
            return
        metrics["setting"] = self.setting
        copied = self._copied or {}
        metrics["copied_from"] = copied["trial"] if copied.get("epoch") == self._epoch - 1 else None
        assert self.checkpoint is not None
        # Also after the last epoch: Ray can then choose the next trial before it ends this one.
        if self._epoch % self._exchange_epochs and self._epoch < self._max_epochs:
            tune.report(metrics)
        else:
            tune.report(metrics, checkpoint=tune.Checkpoint.from_directory(self.checkpoint.parent))

    def report_failure(self, error: Exception) -> None:
        """Report why the trial failed; Ray expects the same metrics in every report."""
        from ray import tune

        nan = math.nan
        scores = {"validation_accuracy": nan, "best_accuracy": nan, "best_loss": nan}
        tune.report({"epoch": self._epoch, **scores, "error": f"{type(error).__name__}: {error}"})


@contextmanager
def _checkpoint_file() -> Iterator[Path]:
    """The checkpoint file of the training, initialised with the checkpoint that Ray provides.

    If that checkpoint is gone, the trial starts over: the saved state of a killed search can be
    slightly older than its files.
    """
    from ray import tune

    trial_dir = tune.get_context().get_trial_dir()
    with tempfile.TemporaryDirectory(prefix="trial-", dir=trial_dir) as folder:
        file = Path(folder) / _CHECKPOINT
        given = tune.get_checkpoint()
        if given is not None:
            with given.as_directory() as source:
                if (Path(source) / _CHECKPOINT).exists():
                    shutil.copyfile(Path(source) / _CHECKPOINT, file)
        yield file


def _with_training(member: MemberConfig, changes: dict[str, Any]) -> MemberConfig:
    training = member.training.model_copy(update=changes)
    return member.model_copy(update={"training": training})
