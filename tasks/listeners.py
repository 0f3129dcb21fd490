"""What a task run does with progress: lines in its log, and a progress bar in the UI."""

import time
from collections.abc import Callable
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import TaskRunContext
from prefect.logging import get_run_logger

from fer_models.progress import Progress
from tasks.artifacts.publish import artifact_key

_EVERY_S = 5.0


def in_task_run() -> bool:
    """Whether the code runs as a Prefect task, not as `task.fn(...)` without a server."""
    return TaskRunContext.get() is not None


class LogListener:
    """Writes progress to the log of the task run, at most every 5 seconds per stage."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def __call__(self, progress: Progress) -> None:
        """Write a line, unless the last one is too recent; a warning always."""
        if not in_task_run():
            return
        if progress.is_warning:
            get_run_logger().warning("%s  %s", progress.stage, progress.note)
            return
        now = time.monotonic()
        is_written = progress.is_notable or 0 < progress.total <= progress.done
        if not is_written and now - self._last.get(progress.stage, -_EVERY_S) < _EVERY_S:
            return
        self._last[progress.stage] = now
        parts = (progress.stage, progress.amount, progress.note)
        get_run_logger().info("%s", "  ".join(part for part in parts if part))


class BarListener:
    """Shows the progress of a long task run as a progress artifact.

    A task that ends within `every_s` seconds has none. After an error the bar is not written
    again, so a server that does not answer neither fails nor keeps delaying the work.

    Args:
        every_s: minimum time until the first event, and between events, in seconds.
        clock: the current time in seconds.
    """

    def __init__(
        self, every_s: float = _EVERY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._every_s = every_s
        self._clock = clock
        self._last = clock()
        self._bar: UUID | None = None
        self._given_up = False

    def __call__(self, progress: Progress) -> None:
        """Create or move the bar, unless the last event is too recent."""
        if self._given_up or not progress.amount or not in_task_run():
            return
        if self._clock() - self._last < self._every_s:
            return
        self._show(100 * min(progress.done / progress.total, 1.0), _description(progress))
        self._last = self._clock()

    def finish(self) -> None:
        """Fill the bar, if there is one."""
        if self._bar is not None and not self._given_up:
            self._show(100.0, "done")

    def _show(self, percent: float, description: str) -> None:
        try:
            if self._bar is None:
                # In synchronous code both return an id, not a coroutine.
                self._bar = cast("UUID", create_progress_artifact(percent, _key(), description))
            else:
                update_progress_artifact(self._bar, percent, description)
        except Exception as error:  # noqa: BLE001 - a bar must not fail the work
            self._given_up = True
            get_run_logger().warning("no progress bar in the UI: %s", error)


def _description(progress: Progress) -> str:
    return "  ".join(part for part in (progress.amount, progress.note) if part)


def _key() -> str:
    context = TaskRunContext.get()
    assert context is not None
    return artifact_key(f"progress-{context.task_run.name}")
