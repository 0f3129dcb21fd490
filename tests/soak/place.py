"""The place of a soak's runs: a folder of its own, by which all their processes are found."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from fer_models.processes import is_alive
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ARTIFACT_KINDS
from fer_models.storage.store import ARTIFACT_FILE, ArtifactStore
from fer_models.training.engine.fit import epochs_done
from tests.deployments.processes import Workspace
from tests.operation.served import on_this_machine, title

RECIPE = """
name: soak
data: {synthetic: {num_images: 420}}
validation: {min_images_per_class: 5, min_images_per_split: 20}
tuning: {enabled: false}
scoring: {enabled: false}
promotion: {min_accuracy: 0.0}
tracking: {mode: disabled}
members:
  - name: compact_cnn
    network: {name: compact_cnn, width: 0.25}
    training: {epochs: 3, precision: 32-true, threads: 1}
  - name: scratch_cnn
    network: {name: scratch_cnn, width: 0.25}
    training: {epochs: 150, precision: 32-true, threads: 1}
"""
SEARCH = (
    "--set=tuning.enabled=true",
    "--set=tuning.num_trials=2",
    "--set=tuning.max_epochs=2",
    "--set=tuning.max_train_images=64",
)
ENDED_WITHIN_S = 10.0
_LIMIT_S = 1200.0


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, its output, and the seconds since it was signalled."""

    code: int
    produced: dict[str, Any]
    err: str
    seconds: float = 0.0

    @property
    def completed(self) -> bool:
        """Whether it had printed its results, even if a signal came while Python shut down."""
        return bool(self.produced) and "error" not in self.produced

    @property
    def resumed(self) -> bool:
        """Whether a training continued from a checkpoint."""
        return "resumed after epoch" in self.err


class Place:
    """A folder with a store, a cache, a temporary folder and a Prefect home.

    Ray needs a short path for its sockets.
    """

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sk-", dir="/tmp"))
        self.workspace = Workspace(self.folder)
        self.temporary = self.folder / "t"
        self.temporary.mkdir()
        (self.workspace.folder / "soak.yaml").write_text(RECIPE)
        self.workspace.environment |= {
            "TMPDIR": str(self.temporary),
            "FERFLOW_STORE": str(self.folder / "store"),
            **(environment or {}),
        }
        self._commands = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def take_database(self, other: "Place") -> None:
        """Copy the database of Prefect from a place where nothing runs; creating it takes long."""
        for name in ("database-version", "prefect.db", "prefect.db-wal"):
            source = Path(other.workspace.environment["PREFECT_HOME"]) / name
            if source.exists():
                target = Path(self.workspace.environment["PREFECT_HOME"])
                target.mkdir(exist_ok=True)
                shutil.copy(source, target)

    def store(self) -> ArtifactStore:
        """Its store, opened anew."""
        return ArtifactStore(StoreConfig(url=self.workspace.environment["FERFLOW_STORE"]))

    def start(self, *arguments: str) -> "Command":
        """Start `ferflow ... --json`."""
        self._commands += 1
        return Command(self.workspace, self.folder / f"{self._commands}.err", *arguments)

    def run(self, *arguments: str) -> Ended:
        """Run `ferflow ... --json` to its end."""
        return self.start(*arguments).ended()

    def processes(self) -> list[psutil.Process]:
        """All processes that were started from here, directly or not: they share its cache."""
        cache = self.workspace.environment["XDG_CACHE_HOME"]
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("XDG_CACHE_HOME") == cache and is_alive(process):
                    found.append(process)
        return found

    def left_after(self, limit_s: float) -> list[str]:
        """The processes that are still there after some seconds."""
        until_s = time.monotonic() + on_this_machine(limit_s)
        while (left := self.processes()) and time.monotonic() < until_s:
            time.sleep(0.5)
        return [title(process)[:100] for process in left]

    def epochs(self) -> int:
        """Epochs in the checkpoint of the longest unfinished training."""
        trainings = Path(self.workspace.environment["XDG_CACHE_HOME"]) / "ferflow" / "training"
        found = 0
        # A finished training removes its folder meanwhile.
        for folder, _, files in os.walk(trainings):
            if "last.ckpt" in files:
                found = max(found, epochs_done(Path(folder) / "last.ckpt"))
        return found

    def num_stored_files(self) -> int:
        """Files in its local store, also those of unfinished writes."""
        return sum(len(files) for _, _, files in os.walk(self.folder / "store"))

    def unfinished_writes(self) -> int:
        """Artifacts in its local store without a description, which no reader sees."""
        store = self.folder / "store"
        folders = [path for kind in ARTIFACT_KINDS for path in (store / kind.folder).glob("*")]
        return sum(not (path / ARTIFACT_FILE).exists() for path in folders)

    def temporary_files(self) -> list[str]:
        """What is in the temporary folder."""
        return sorted(path.name for path in self.temporary.iterdir())


class Command:
    """A running `ferflow ... --json`, whose progress is watched."""

    def __init__(self, workspace: Workspace, err: Path, *arguments: str) -> None:
        self._err = err
        self._out = err.with_suffix(".out")
        with err.open("w") as stderr, self._out.open("w") as stdout:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deployments", *arguments, "--json"],
                cwd=workspace.folder,
                env=workspace.environment,
                stdout=stdout,
                stderr=stderr,
            )

    def has_printed(self, lines: int, then_s: float = 0.0) -> bool:
        """Wait for so many lines of progress, and then a moment; False if it ended before."""
        until_s = time.monotonic() + _LIMIT_S
        while len(self.err().splitlines()) < lines:
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < until_s, self.err()[-2000:]
            time.sleep(0.05)
        time.sleep(then_s)
        return self.process.poll() is None

    def has_changed(self, place: Place, num_files: int) -> bool:
        """Wait until so many files were added to the store or removed; False if it ended before."""
        before, until_s = place.num_stored_files(), time.monotonic() + _LIMIT_S
        while abs(place.num_stored_files() - before) < num_files:
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < until_s, self.err()[-2000:]
            time.sleep(0.002)
        return self.process.poll() is None

    def has_trained(self, place: Place, num_epochs: int) -> bool:
        """Wait until a checkpoint has so many epochs; False if the command ended before."""
        until_s = time.monotonic() + _LIMIT_S
        while place.epochs() < num_epochs:
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < until_s, self.err()[-2000:]
            time.sleep(0.05)
        return self.process.poll() is None

    def stage(self) -> str:
        """The stage of the last line of progress."""
        lines = [line for line in self.err().splitlines() if line.startswith("[")]
        return lines[-1].partition("]")[2].split()[0] if lines else "import"

    def err(self) -> str:
        """Its stderr so far."""
        return self._err.read_text(errors="replace")

    def signalled(self, number: int) -> Ended:
        """Send a signal, and wait for the end."""
        start_s = time.monotonic()
        self.process.send_signal(number)
        ended = self.ended()
        return Ended(ended.code, ended.produced, ended.err, time.monotonic() - start_s)

    def ended(self) -> Ended:
        """Wait for the end."""
        code = self.process.wait(_LIMIT_S)
        lines = self._out.read_text().splitlines()
        try:
            produced = json.loads(lines[-1]) if lines else {}
        except ValueError:
            produced = {}
        return Ended(code, produced, self.err())
