"""Experiment tracking with wandb that can neither fail nor delay a training."""

import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from fer_models.remote.worker import current_node
from fer_models.tracking.config import TrackingConfig
from fer_models.tracking.forward import ForwardingTracker, RunStarted

Counts = npt.NDArray[np.int64]
_Mode = Literal["offline", "online"]
_Record = Callable[[Any], None]  # logs one thing to a wandb run
_LOGGER = logging.getLogger(__name__)
_INIT_TIMEOUT_S = 20.0
_FINISH_TIMEOUT_S = 20.0


class Tracker(Protocol):
    """Receives the metrics of a run."""

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Log the metrics of one step without blocking."""

    def log_confusion(self, counts_KK: Counts, classes: Sequence[str]) -> None:
        """Log a confusion matrix K x K (rows true, columns predicted) of the K classes."""


class _NullTracker:
    def log(self, metrics: Mapping[str, float], step: int) -> None:
        pass

    def log_confusion(self, counts_KK: Counts, classes: Sequence[str]) -> None:
        pass


@contextmanager
def track_run(
    config: TrackingConfig, name: str, run_config: Mapping[str, Any]
) -> Iterator[Tracker]:
    """Track a run for the duration of the block.

    Offline runs write files below `config.folder`. Online runs need WANDB_API_KEY and become
    offline runs without it. WANDB_MODE=disabled turns tracking off, as in wandb itself. Any failure
    of wandb is logged as one warning, and the block continues. On a node of a cluster the driver
    writes the run.

    Args:
        config: mode, project and folder.
        name: display name of the run.
        run_config: settings and lineage of the run, JSON values.
    """
    if config.mode == "disabled" or os.environ.get("WANDB_MODE") == "disabled":
        yield _NullTracker()
        return
    if current_node() is not None:
        yield ForwardingTracker(RunStarted(config, name, run_config))
        return
    mode: _Mode = config.mode
    if mode == "online" and not os.environ.get("WANDB_API_KEY"):
        _LOGGER.warning(
            "tracking.mode is online but WANDB_API_KEY is not set: writing run %s to %s; "
            "set the key, or upload the run later with `wandb sync`",
            name,
            config.folder,
        )
        mode = "offline"
    run = _BackgroundRun(config, mode, name, run_config)
    failed = True
    try:
        yield run
        failed = False
    finally:
        run.close(exit_code=int(failed))


class _BackgroundRun:
    """A wandb run in a thread of its own, because starting it takes seconds or may hang."""

    def __init__(
        self, config: TrackingConfig, mode: _Mode, name: str, run_config: Mapping[str, Any]
    ) -> None:
        self._name = name
        self._records: queue.SimpleQueue[_Record | None] = queue.SimpleQueue()
        self._exit_code = 0
        self._abandoned = threading.Event()
        self._thread = threading.Thread(
            target=self._work,
            args=(config, mode, name, dict(run_config)),
            daemon=True,
            name="wandb-run",
        )
        self._thread.start()

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        line = dict(metrics)
        self._records.put(lambda run: run.log(line, step=step))

    def log_confusion(self, counts_KK: Counts, classes: Sequence[str]) -> None:
        self._records.put(lambda run: run.log({"confusion": _confusion_plot(counts_KK, classes)}))

    def close(self, exit_code: int) -> None:
        self._exit_code = exit_code
        self._records.put(None)
        self._thread.join(_FINISH_TIMEOUT_S)
        if self._thread.is_alive():
            self._abandoned.set()
            _LOGGER.warning(
                "wandb did not finish run %s within %g s; the tracked run may be incomplete",
                self._name,
                _FINISH_TIMEOUT_S,
            )

    def _work(self, config: TrackingConfig, mode: _Mode, name: str, run_config: Any) -> None:
        try:
            run = _start(config, mode, name, run_config)
            while (record := self._records.get()) is not None:
                record(run)
            run.finish(exit_code=self._exit_code)
        except Exception as error:  # noqa: BLE001 - tracking must never fail a training
            if not self._abandoned.is_set():
                reason = " ".join(str(error).split()) or type(error).__name__
                _LOGGER.warning("wandb can't track run %s: %s", name, reason)


def _confusion_plot(counts_KK: Counts, classes: Sequence[str]) -> Any:
    import wandb

    true, predicted = np.indices(counts_KK.shape)
    repeats = counts_KK.ravel()
    return wandb.plot.confusion_matrix(
        y_true=np.repeat(true.ravel(), repeats).tolist(),
        preds=np.repeat(predicted.ravel(), repeats).tolist(),
        class_names=list(classes),
        title="Validation",
    )


def _start(config: TrackingConfig, mode: _Mode, name: str, run_config: Any) -> Any:
    # Read by wandb when it is imported; turns off crash reports to wandb.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    folder = Path(config.folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    settings = wandb.Settings(
        init_timeout=_INIT_TIMEOUT_S,
        silent=True,
        console="off",
        quiet=True,
        disable_git=True,
        disable_code=True,
        x_disable_stats=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
    )
    return wandb.init(
        project=config.project,
        name=name,
        config=run_config,
        dir=str(folder),
        mode=mode,
        reinit="create_new",
        settings=settings,
    )
