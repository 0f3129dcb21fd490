"""Pictures of concurrent requests, predicted together by one thread.

One thread owns the model: requests wait in a queue, and what has arrived when the model is free (or
a few milliseconds later) becomes a batch. So 200 requests cost a few forward passes, not 200, and
torch's threads never compete.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from fer_models.faces.found import FacesMode
from fer_models.inference.picture import Picture, PicturePrediction

_STOP_TIMEOUT_S = 60.0
# Weight of the newest batch in the measured speed.
_NEWEST = 0.3
_LONGEST_RETRY_S = 60.0


@dataclass(frozen=True)
class Predicted:
    """Predictions of the pictures of a batch, and the model that made them."""

    model: str
    pictures: Sequence[PicturePrediction]


Predict = Callable[[list[Picture], FacesMode], Predicted]


@dataclass(frozen=True)
class Answer:
    """The predictions of one request; times in seconds."""

    model: str
    pictures: Sequence[PicturePrediction]
    waited_s: float
    """In the queue."""
    predicting_s: float
    """Of the whole batch."""
    batch_pictures: int
    """Pictures that were predicted together, of all requests."""


class QueueFullError(Exception):
    """Too many pictures wait; try again after `retry_after_s` seconds."""

    def __init__(self, waiting: int, retry_after_s: float) -> None:
        super().__init__(f"{waiting} pictures wait")
        self.waiting = waiting
        self.retry_after_s = retry_after_s


class StoppedError(Exception):
    """The server ends; nothing more is predicted."""


@dataclass(eq=False)
class _Job:
    """Pictures to predict, or `call`: other work of the thread that owns the model."""

    future: "Future[Any]"
    pictures: list[Picture] = field(default_factory=list)
    faces: FacesMode = "auto"
    call: Callable[[], Any] | None = None
    since_s: float = field(default_factory=time.monotonic)

    @property
    def size(self) -> int:
        """Pictures for which it counts in the queue."""
        return len(self.pictures) if self.call is None else 1


class Batcher:
    """A queue of pictures, and the thread that predicts them.

    Args:
        predict: predicts the pictures of a batch, in order.
        batch_pictures: most pictures of a batch; a larger request is a batch of its own.
        batch_wait_s: how long a batch waits for further requests.
        max_waiting: most pictures in the queue; a request is accepted if there are fewer.
        on_batch: called with the number of pictures and the seconds of every batch.

    Example:
        with Batcher(predict, batch_pictures=32, batch_wait_s=0.005, max_waiting=512) as batcher:
            batcher.submit([Picture("a.png", data=data)], "crop").result().pictures
    """

    def __init__(
        self,
        predict: Predict,
        *,
        batch_pictures: int,
        batch_wait_s: float,
        max_waiting: int,
        on_batch: Callable[[int, float], None] = lambda _pictures, _seconds: None,
    ) -> None:
        self._predict = predict
        self._batch_pictures = batch_pictures
        self._batch_wait_s = batch_wait_s
        self._max_waiting = max_waiting
        self._on_batch = on_batch
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._is_stopping = False
        self._waiting = 0
        self._picture_s = 0.1
        self._thread = threading.Thread(target=self._work, name="ferflow-model", daemon=True)

    @property
    def waiting(self) -> int:
        """Pictures in the queue; other work counts as one."""
        return self._waiting

    def submit(self, pictures: list[Picture], faces: FacesMode) -> "Future[Answer]":
        """Put the pictures of a request into the queue.

        Raises:
            QueueFullError: too many wait.
            StoppedError: the server ends.
        """
        return self._put(_Job(Future(), pictures, faces))

    def run(self, call: Callable[[], Any]) -> "Future[Any]":
        """Let the thread that owns the model call a function between two batches.

        Raises:
            QueueFullError: too many pictures wait.
            StoppedError: the server ends.
        """
        return self._put(_Job(Future(), call=call))

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish what waits, and end the thread."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        self._thread.join(_STOP_TIMEOUT_S)

    def _put(self, job: _Job) -> "Future[Any]":
        with self._changed:
            if self._waiting and self._waiting + job.size > self._max_waiting:
                wait_s = min(max(self._waiting * self._picture_s, 1.0), _LONGEST_RETRY_S)
                raise QueueFullError(self._waiting, wait_s)
            if self._is_stopping:
                raise StoppedError
            self._jobs.append(job)
            self._waiting += job.size
            self._changed.notify_all()
        job.future.add_done_callback(self._drop_given_up)
        return job.future

    def _drop_given_up(self, future: "Future[Any]") -> None:
        """Free the pictures, and the room in the queue, of a request that was cancelled."""
        if not future.cancelled():
            return
        with self._changed:
            for job in self._jobs:
                if job.future is future:
                    self._jobs.remove(job)
                    self._waiting -= job.size
                    break

    def _work(self) -> None:
        while batch := self._next_batch():
            batch = [job for job in batch if job.future.set_running_or_notify_cancel()]
            if batch and batch[0].call is not None:
                _settle(batch[0].future, batch[0].call)
            elif batch:
                self._run_batch(batch)

    def _next_batch(self) -> list[_Job]:
        """The next jobs to do together; empty at the end."""
        with self._changed:
            while not self._jobs and not self._is_stopping:
                self._changed.wait()
            if not self._jobs:
                return []
            first = self._jobs.popleft()
            batch = [first] if first.call else self._gather(first)
            self._waiting -= sum(job.size for job in batch)
            return batch

    def _gather(self, first: _Job) -> list[_Job]:
        batch, size = [first], len(first.pictures)
        end = time.monotonic() + self._batch_wait_s
        while size < self._batch_pictures:
            if not self._jobs:
                left_s = end - time.monotonic()
                if left_s <= 0 or self._is_stopping or not self._changed.wait(left_s):
                    break
                continue
            job = self._jobs[0]
            is_other = job.call is not None or job.faces != first.faces
            if is_other or size + len(job.pictures) > self._batch_pictures:
                break
            batch.append(self._jobs.popleft())
            size += len(job.pictures)
        return batch

    def _run_batch(self, batch: list[_Job]) -> None:
        start_s = time.monotonic()
        pictures = [picture for job in batch for picture in job.pictures]
        try:
            predicted = self._predict(pictures, batch[0].faces)
        except Exception as error:  # noqa: BLE001 - it belongs to the requests
            if len(batch) == 1:
                batch[0].future.set_exception(error)
                return
            for job in batch:  # the others must not suffer from one
                self._run_batch([job])
            return
        took_s = time.monotonic() - start_s
        self._picture_s += _NEWEST * (took_s / max(len(pictures), 1) - self._picture_s)
        self._on_batch(len(pictures), took_s)
        position = 0
        for job in batch:
            own = predicted.pictures[position : position + len(job.pictures)]
            position += len(job.pictures)
            waited_s = start_s - job.since_s
            job.future.set_result(Answer(predicted.model, own, waited_s, took_s, len(pictures)))


def _settle(future: "Future[Any]", call: Callable[[], Any]) -> None:
    try:
        future.set_result(call())
    except Exception as error:  # noqa: BLE001 - it belongs to the caller
        future.set_exception(error)
