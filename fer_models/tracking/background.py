"""A wandb run in a thread of its own, because every call of wandb may take seconds or hang."""

import contextvars
import os
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_models.progress import warn
from fer_models.storage.refs import ArtifactRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.artifacts import Relation, describe, log_described
from fer_models.tracking.config import TrackingConfig
from fer_models.tracking.mode import Target, without_unknown_mode
from fer_models.user_input import user_path

Counts = npt.NDArray[np.int64]
STAGE = "tracking"
_Record = Callable[[Any], None]  # logs one thing to a wandb run
# Together with a second start offline this is less than the time to finish.
_INIT_TIMEOUT_S = 10.0
_FINISH_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class RunFacts:
    """What a run is called and what it is about."""

    name: str
    config: Mapping[str, Any]
    job_type: str = ""


class BackgroundRun:
    """A wandb run. No method waits for wandb, except `close` for at most 20 s.

    Args:
        config: project, folder and what becomes of artifacts.
        target: online or offline; an online run that can't be started is written offline.
        facts: name and settings of the run.
        store: holds the artifacts that are logged; None logs none.
    """

    def __init__(
        self,
        config: TrackingConfig,
        target: Target,
        facts: RunFacts,
        store: ArtifactStore | None = None,
    ) -> None:
        """Start the thread."""
        self._config, self._target, self._facts = config, target, facts
        self._store = store if config.artifacts else None
        self._logged: dict[str, Any] = {}
        self._records: queue.SimpleQueue[_Record | None] = queue.SimpleQueue()
        self._exit_code = 0
        self._abandoned = threading.Event()
        # Warnings go to the listeners of the code that tracks.
        work = contextvars.copy_context().run
        self._thread = threading.Thread(
            target=work, args=(self._work,), daemon=True, name="wandb-run"
        )
        self._thread.start()

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """See `Tracker`."""
        line = dict(metrics)
        self._records.put(lambda run: run.log(line, step=step))

    def log_confusion(self, counts_KK: Counts, classes: Sequence[str]) -> None:
        """See `Tracker`."""
        self._records.put(lambda run: run.log({"confusion": _confusion_plot(counts_KK, classes)}))

    def used(self, ref: ArtifactRef) -> None:
        """See `Tracker`."""
        self._log_artifact(ref, "used")

    def made(self, ref: ArtifactRef) -> None:
        """See `Tracker`."""
        self._log_artifact(ref, "made")

    def link(self, ref: ArtifactRef, collection: str) -> None:
        """Link an artifact that was logged before to a collection of wandb's registry."""
        self._records.put(lambda run: self._link(run, ref, collection))

    def close(self, exit_code: int) -> None:
        """End the run; if wandb is not done in time, it is left to itself with a warning."""
        self._exit_code = exit_code
        self._records.put(None)
        self._thread.join(_FINISH_TIMEOUT_S)
        if self._thread.is_alive():
            self._abandoned.set()
            warn(
                STAGE,
                f"wandb did not finish run {self._facts.name} within {_FINISH_TIMEOUT_S:g} s; the "
                "tracked run may be incomplete",
            )

    def _work(self) -> None:
        try:
            run = self._start()
            while (record := self._records.get()) is not None:
                record(run)
            run.finish(exit_code=self._exit_code)
        except Exception as error:  # noqa: BLE001 - tracking must never fail a training
            self._warn(f"wandb can't track run {self._facts.name}: {_reason(error)}")

    def _start(self) -> Any:
        """The wandb run; written offline if the server can't be used."""
        if self._target == "online":
            try:
                return _start(self._config, "online", self._facts)
            except Exception as error:  # noqa: BLE001 - the run is worth keeping
                self._target = "offline"
                self._warn(
                    f"wandb can't be reached or refuses the key ({_reason(error)}); run "
                    f"{self._facts.name} is written to {self._config.folder}: upload it later "
                    "with `wandb sync`"
                )
        return _start(self._config, "offline", self._facts)

    def _log_artifact(self, ref: ArtifactRef, relation: Relation) -> None:
        store = self._store
        if store is None or ref.id in self._logged:
            return
        self._logged[ref.id] = None

        def record(run: Any) -> None:
            described = describe(store, ref, self._config)
            is_offline = self._target == "offline"
            self._logged[ref.id] = log_described(run, described, relation, is_offline)

        self._records.put(lambda run: self._guarded(record, run, f"log {ref.folder}/{ref.id}"))

    def _link(self, run: Any, ref: ArtifactRef, collection: str) -> None:
        if self._target == "offline":
            self._warn(
                f"{ref.id} is not linked to {collection}: that needs an online run; after `wandb "
                "sync` link it in wandb, or set tracking.mode=online"
            )
        elif (artifact := self._logged.get(ref.id)) is not None:
            what = f"link {ref.id} to {collection}"
            self._guarded(lambda run: run.link_artifact(artifact, collection), run, what)

    def _guarded(self, record: _Record, run: Any, what: str) -> None:
        """Log one thing of which the rest of the run is independent."""
        try:
            record(run)
        except Exception as error:  # noqa: BLE001 - tracking must never fail a training
            self._warn(f"run {self._facts.name} can't {what}: {_reason(error)}")

    def _warn(self, text: str) -> None:
        if not self._abandoned.is_set():
            warn(STAGE, text)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


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


def _start(config: TrackingConfig, mode: Target, facts: RunFacts) -> Any:
    # Read by wandb when it is imported; turns off crash reports to wandb.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    folder = user_path(config.folder)
    folder.mkdir(parents=True, exist_ok=True)
    with without_unknown_mode():
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
            name=facts.name,
            config=dict(facts.config),
            job_type=facts.job_type or None,
            dir=str(folder),
            mode=mode,
            reinit="create_new",
            settings=settings,
        )
