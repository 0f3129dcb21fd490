"""Decode many image files on all cores, each directly to its place.

Few images are decoded in threads. Threads wait for each other, though, because Pillow holds the
interpreter lock for a large part of a small image; so many images are decoded in worker processes,
which write the pixels into a file that all of them map. The result is the same.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing.connection import wait
from pathlib import Path
from types import TracebackType
from typing import Self

from fer_models.dataset.array_file import PIXEL_FILES, NpyFile
from fer_models.dataset.image_format import THUMBNAIL, ImageFormat, Pixels
from fer_models.ingest.decoding.scratch import Scratch
from fer_models.ingest.decoding.tasks import Destination, Outcome, Task, decode_tasks, into_memory
from fer_models.ingest.decoding.worker import Job
from fer_models.ingest.decoding.worker_process import WorkerProcess
from fer_models.ingest.files.image_pixels import quiet_decoding
from fer_models.ingest.image_buffer import image_array
from fer_models.processes import num_cores
from fer_models.progress import report

_MIN_IMAGES = 1000
"""From so many on, processes pay: the start of one takes as long as decoding 500 small images."""
_MAX_WORKERS = 8  # one image may take hundreds of megabytes while it is decoded
_FILES_PER_TASK = 64


@dataclass(frozen=True)
class Decoded:
    """M faces. Positions without an image are in `problems`, and their pixels are not defined."""

    images: Pixels
    thumbnails: Pixels | None
    """Grey 48 x 48 versions; None if the images are their own."""
    sha256: list[str]
    """Of the pixels of each image, hex."""
    problems: dict[int, str] = field(default_factory=dict)
    files: dict[str, NpyFile] = field(default_factory=dict)
    """Those of the images and the thumbnails by name, if a snapshot can take them over."""

    def collect(self, outcomes: Iterable[list[Outcome]]) -> Iterator[int]:
        """Take the outcomes of all images; yields how many there are so far."""
        done, num_complete = 0, 0
        for group in outcomes:
            for position, digest, problem in group:
                self.sha256[position] = digest
                if problem:
                    self.problems[position] = problem
            while num_complete < len(self.sha256) and self.sha256[num_complete]:
                num_complete += 1
            for file in self.files.values():
                file.complete(num_complete)
            done += len(group)
            yield done


class Decoder:
    """Decodes the images of any number of sources, and ends its worker processes at the end.

    Example:
        with Decoder() as decoder:
            tasks = [Task(0, ImageFile("a.jpg")), Task(1, ImageFile("b.jpg"))]
            images = decoder.decode(tasks, 2, "faces", ImageFormat(48)).images
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Nothing is started yet.

        Args:
            folder: of a local store, whose snapshot takes over the files of many images.
        """
        self._folder = folder
        self._workers: list[WorkerProcess] = []
        self._scratch: tuple[Scratch, Scratch] | None = None

    def __enter__(self) -> Self:
        """Nothing is started yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the worker processes."""
        self._stop()

    def expect(self, num_images: int) -> None:
        """Start the worker processes if there will be many images; they start meanwhile."""
        if self._workers or num_images < _MIN_IMAGES or num_cores() < 2:
            return
        try:
            self._scratch = Scratch(self._folder), Scratch(self._folder)
            for _ in range(min(num_cores(), _MAX_WORKERS)):
                self._workers.append(WorkerProcess(*self._scratch))
        except OSError:  # no processes or no disk here: threads are slower, and enough
            self._stop()

    def decode(
        self, tasks: Iterable[Task], num_faces: int, name: str, target: ImageFormat
    ) -> Decoded:
        """Decode all tasks and report progress.

        Args:
            tasks: in any order; their content is loaded a few at a time.
            num_faces: of all tasks together.
            name: of the source, for progress.
            target: the format of the result.

        Raises:
            DataError: a worker process ended, for lack of memory or by a defect of a decoder.
            OSError: the disk is too full.
        """
        self.expect(num_faces)
        groups = _groups(tasks)
        try:
            if self._workers and num_faces:
                decoded, outcomes = self._in_processes(groups, num_faces, target)
            else:
                decoded, outcomes = _in_memory(groups, num_faces, target)
            for done in decoded.collect(outcomes):
                report("ingest", done, num_faces, "images", name)
        except BaseException:
            self._stop()  # they may still be at work
            raise
        return decoded

    def _in_processes(
        self, groups: Iterator[list[Task]], num_faces: int, target: ImageFormat
    ) -> tuple[Decoded, Iterator[list[Outcome]]]:
        assert self._scratch is not None
        of_images, of_thumbnails = self._scratch
        start, images = of_images.allocate((num_faces, *target.shape))
        small_start, small = None, None
        if not target.is_thumbnail:
            small_start, small = of_thumbnails.allocate((num_faces, *THUMBNAIL.shape))
        own = _destination(images, small, target)
        outcomes = self._outcomes(groups, own, lambda g: Job(start, small_start, target, g))
        decoded = Decoded(images, small, [""] * num_faces)
        if self._folder is not None:
            for name, scratch, array in zip(
                PIXEL_FILES, self._scratch, (images, small), strict=True
            ):
                if array is not None:
                    decoded.files[name] = NpyFile(scratch.file, array)
        return decoded, outcomes

    def _outcomes(
        self, groups: Iterator[list[Task]], own: Destination, job: Callable[[list[Task]], Job]
    ) -> Iterator[list[Outcome]]:
        """Keep every worker busy; what unusable ones leave is decoded here."""
        # The next group is loaded while all are busy, so that no worker waits for it.
        following = next(groups, None)
        while following or any(worker.tasks for worker in self._workers):
            for worker in self._workers:
                if following and not worker.tasks:
                    worker.send(job(following))
                    following = next(groups, None)
            for worker in [worker for worker in self._workers if not worker.is_usable]:
                self._workers.remove(worker)
                worker.stop()
                yield decode_tasks(worker.tasks, own)
            if not self._workers:
                remaining = [following] if following else []
                yield from _in_threads(_chained(remaining, groups), own)
                return
            busy = {worker.connection: worker for worker in self._workers if worker.tasks}
            for connection in wait([*busy]):
                if outcomes := busy[connection].receive():  # type: ignore[index]
                    yield outcomes

    def _stop(self) -> None:
        for worker in self._workers:
            worker.stop()
        self._workers = []
        self._scratch = None


def _groups(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    remaining = iter(tasks)
    while group := list(islice(remaining, _FILES_PER_TASK)):
        yield group


def _chained(first: list[list[Task]], rest: Iterator[list[Task]]) -> Iterator[list[Task]]:
    yield from first
    yield from rest


def _in_memory(
    groups: Iterator[list[Task]], num_faces: int, target: ImageFormat
) -> tuple[Decoded, Iterator[list[Outcome]]]:
    images = image_array(num_faces, target)
    small = None if target.is_thumbnail else image_array(num_faces, THUMBNAIL)
    outcomes = _in_threads(groups, _destination(images, small, target))
    return Decoded(images, small, [""] * num_faces), outcomes


def _destination(images: Pixels, small: Pixels | None, target: ImageFormat) -> Destination:
    thumbnails = None if small is None else into_memory(small.reshape(-1).data)
    return Destination(into_memory(images.reshape(-1).data), thumbnails, target)


def _in_threads(groups: Iterator[list[Task]], destination: Destination) -> Iterator[list[Outcome]]:
    num_threads = min(num_cores(), _MAX_WORKERS)
    waiting: deque[Future[list[Outcome]]] = deque()
    with quiet_decoding(), ThreadPoolExecutor(num_threads) as pool:
        while True:
            while len(waiting) < 2 * num_threads and (group := next(groups, None)):
                waiting.append(pool.submit(decode_tasks, group, destination))
            if not waiting:
                return
            yield waiting.popleft().result()
