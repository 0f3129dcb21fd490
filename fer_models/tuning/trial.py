"""One trial of a search, as it runs inside a Ray worker."""

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
from fer_models.tuning.space import Setting, apply_setting
from fer_models.tuning.trial_workers import fit_trial

_LOGGER = logging.getLogger(__name__)
METRIC = "validation_accuracy"
"""What trials report and are compared by."""
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
    """Train with the setting of the trial, telling Ray of every epoch, or why it failed.

    Every trial starts from the same seed, so that they differ in their settings only. A failure is
    told, not raised: Ray then runs those trials again that were lost with their worker, and no
    other. A member of a population hands over a checkpoint every `exchange_epochs`, goes on from
    the one that Ray gives it, and is judged by where it stands, not by its best epoch. `data` holds
    a reference to the images: trials and workers of a node share them in its object store.
    """
    import ray

    os.environ["OMP_NUM_THREADS"] = str(num_threads)  # this process is the trial's own
    reporter = TrialReporter(config, setting_of(config, settings), max_epochs, exchange_epochs)
    try:
        tuned = apply_setting(member, reporter.setting)
        changes: dict[str, Any] = {"epochs": max_epochs, "threads": num_threads}
        if tuned.training.workers > 1:
            fit_trial(data[0], _with(tuned, changes), seed, reporter.report)
            return
        images: TrainingData = ray.get(data[0])
        if exchange_epochs is None:
            fit(images, _with(tuned, changes), seed, reporter.report)
            return
        with _checkpoint_file() as reporter.checkpoint:
            # All of a population train equally long.
            equal = _with(tuned, {**changes, "patience": 0})
            fit(images, equal, seed, reporter.report, reporter.checkpoint)
    except Exception as error:
        _LOGGER.warning("trial %s failed", config["trial"], exc_info=True)
        reporter.report_failure(error)


def setting_of(config: dict[str, Any], settings: list[Setting]) -> Setting:
    """What a trial tries: its own proposal, or the one of its number drawn beforehand."""
    proposed: Setting | None = config.get("setting")
    return settings[config["trial"]] if proposed is None else proposed


class TrialReporter:
    """Tells Ray how a trial goes."""

    def __init__(
        self,
        config: dict[str, Any],
        setting: Setting,
        max_epochs: int,
        exchange_epochs: int | None,
    ) -> None:
        self.setting = setting
        self.checkpoint: Path | None = None
        self._copied = config.get("copied")
        self._max_epochs = max_epochs
        self._exchange_epochs = exchange_epochs
        self._best: EpochResult | None = None
        self._epoch = 0

    def report(self, result: EpochResult) -> None:
        """An epoch ended."""
        from ray import tune

        self._epoch = result.epoch
        best = self._best
        if best is None or result.score > best.score or self._exchange_epochs:
            best = self._best = result
        line: dict[str, Any] = {
            "epoch": result.epoch,
            "validation_accuracy": result.validation_accuracy,
            "best_accuracy": best.validation_accuracy,
            "best_loss": best.validation_loss,
        }
        if self._exchange_epochs is None:
            tune.report(line)
            return
        line["setting"] = self.setting
        copied = self._copied or {}
        line["copied_from"] = copied["trial"] if copied.get("epoch") == self._epoch - 1 else None
        assert self.checkpoint is not None
        # The last epoch's, too: it lets Ray choose the next trial before it ends this one.
        if self._epoch % self._exchange_epochs and self._epoch < self._max_epochs:
            tune.report(line)
        else:
            tune.report(line, checkpoint=tune.Checkpoint.from_directory(self.checkpoint.parent))

    def report_failure(self, error: Exception) -> None:
        """Ray wants the same scores in every report."""
        from ray import tune

        nan = math.nan
        scores = {"validation_accuracy": nan, "best_accuracy": nan, "best_loss": nan}
        tune.report({"epoch": self._epoch, **scores, "error": f"{type(error).__name__}: {error}"})


@contextmanager
def _checkpoint_file() -> Iterator[Path]:
    """A file to train with, holding what Ray gives the trial to go on from.

    A checkpoint that is gone (the state of a killed search can be a little older than its files)
    lets the trial start anew.
    """
    from ray import tune

    with tempfile.TemporaryDirectory(prefix="trial-", dir=tune.get_context().get_trial_dir()) as at:
        file = Path(at) / _CHECKPOINT
        given = tune.get_checkpoint()
        if given is not None:
            with given.as_directory() as folder:
                if (Path(folder) / _CHECKPOINT).exists():
                    shutil.copyfile(Path(folder) / _CHECKPOINT, file)
        yield file


def _with(member: MemberConfig, changes: dict[str, Any]) -> MemberConfig:
    training = member.training.model_copy(update=changes)
    return member.model_copy(update={"training": training})
