"""The parent's side of a worker process that decodes images."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from fer_models.errors import DataError
from fer_models.ingest.decoding.scratch import Scratch
from fer_models.ingest.decoding.tasks import ImageFile, Outcome, Task
from fer_models.ingest.decoding.worker import READY, Job

_WAIT_S = 10.0
_KEPT_MEMORY_BYTES = 32 << 20


class WorkerProcess:
    """One worker process, which has at most one job at a time.

    It is a plain child process rather than one of `multiprocessing`: that may have daemonic
    parents, does not import their main module, and needs no further process that cleans up.
    """

    def __init__(self, images: Scratch, thumbnails: Scratch) -> None:
        """Start it; it imports its modules meanwhile.

        Raises:
            OSError: it can't be started.
        """
        self.tasks: Sequence[Task] = ()
        """Of its job; empty if it has none."""
        self.is_usable = True
        """False if it ended before it was ready; its job was not begun."""
        self._is_ready = False
        # Not `Pipe`'s other end as an object: this process must not keep it open.
        self.connection, theirs = multiprocessing.Pipe()
        with theirs:
            inherited = (theirs.fileno(), images.fileno(), thumbnails.fileno())
            command = [sys.executable, "-P", "-m", "fer_models.ingest.decoding.worker"]
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [*command, *map(str, inherited)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=inherited,
                env=_environment(),
                process_group=0,  # Ctrl-C is for this process only
            )

    def send(self, job: Job) -> None:
        """Give it a job."""
        self.tasks = job.tasks
        try:
            self.connection.send(job)
        except ConnectionError:
            self._end()

    def receive(self) -> list[Outcome]:
        """What there is to receive: the outcomes of its job, or nothing yet.

        Raises:
            DataError: it has ended during a job.
        """
        try:
            message = self.connection.recv()
        except (EOFError, ConnectionError):
            self._end()
            return []
        if message == READY:
            self._is_ready = True
            return []
        self.tasks = ()
        outcomes: list[Outcome] = message
        return outcomes

    def stop(self) -> None:
        """End it, whatever it does."""
        self.connection.close()
        self._process.kill()
        self._process.wait()

    def _end(self) -> None:
        self.is_usable = self._is_ready
        if not self._is_ready:
            return
        try:
            code = self._process.wait(_WAIT_S)
        except subprocess.TimeoutExpired:
            code = 0
        names = [one.content.path for one in self.tasks if isinstance(one.content, ImageFile)]
        where = f", from {names[0]} to {names[-1]}" if names else ""
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise DataError(
            f"a process that decodes images ended ({how}) during {len(self.tasks)} images{where}; "
            "free memory, or remove the image at which this happens"
        )


def _environment() -> dict[str, str]:
    """This process's environment, with one thread and this library on the path.

    glibc keeps freed memory for the next image instead of returning it to the system each time: a
    tenth of the time of an image of 224 px. Other C libraries ignore it.
    """
    library = str(Path(__file__).parents[3])
    inherited = os.environ.get("PYTHONPATH", "")
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_TRIM_THRESHOLD_": str(_KEPT_MEMORY_BYTES),
        "MALLOC_MMAP_THRESHOLD_": str(_KEPT_MEMORY_BYTES),
        "PYTHONPATH": os.pathsep.join([library, *filter(None, [inherited])]),
    }
