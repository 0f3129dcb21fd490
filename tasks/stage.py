"""The decorator of all tasks: cache key, retries of transient errors, progress in the log."""

import functools
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.logging import get_run_logger
from prefect.tasks import exponential_backoff

from fer_models.errors import FerError, StoreError
from fer_models.progress import Progress, listening, report
from tasks.cache.key import KeyExtra, stage_key

P = ParamSpec("P")
R = TypeVar("R")

DONE = "done"
FROM_CACHE = "from the cache"
_LOG_EVERY_S = 5.0


def stage(
    entry: str,
    *,
    cache_key_extra: KeyExtra | None = None,
    retries: int = 2,
    cached: bool = True,
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a function a Prefect task of the pipeline.

    The result is cached by parameters, configuration and library source (`tasks.cache.key`).
    Transient errors are retried; user errors and bugs are not. `task.fn(...)` calls the function
    without a server.

    Args:
        entry: the library module that does the work; its source is part of the cache key.
        cache_key_extra: computes a further part of the cache key from the task's parameters.
        retries: maximum number of retries after transient errors.
        cached: False for a step that depends on mutable state and must always run.

    Example:
        A task around a library function:

            @stage("fer_models.dataset.split")
            def split(snapshot: SnapshotRef, config: SplittingConfig, seed: int,
                      store: StoreConfig) -> SnapshotRef:
                return split_snapshot(ArtifactStore(store), snapshot, config, seed)

            @flow
            def my_flow(snapshot: SnapshotRef, store: StoreConfig) -> SnapshotRef:
                with results_in(store):  # where results are cached
                    return split(snapshot, SplittingConfig(), 0, store)
    """

    def decorate(function: Callable[P, R]) -> Task[P, R]:
        def cache_key(_: TaskRunContext, parameters: dict[str, Any]) -> str:
            return stage_key(function.__name__, entry, parameters, cache_key_extra)

        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            with listening(_LogListener()):
                report(function.__name__, 0)
                result = function(*args, **kwargs)
                report(function.__name__, 1, 1, note=DONE)
                return result

        decorated: Task[P, R] = task(
            name=function.__name__,
            task_run_name=_run_name,
            cache_key_fn=cache_key if cached else None,
            persist_result=cached,
            result_serializer="json",
            retries=retries,
            retry_delay_seconds=exponential_backoff(backoff_factor=2),
            retry_condition_fn=_is_transient,
            on_completion=[_report_cached],
        )(run)
        return decorated

    return decorate


def in_task_run() -> bool:
    """Whether the code runs as a Prefect task, not as `task.fn(...)` without a server."""
    return TaskRunContext.get() is not None


def _run_name() -> str:
    from prefect.runtime import task_run

    member = task_run.parameters.get("member") or task_run.parameters.get("model")
    suffix = f"-{member.name}" if hasattr(member, "name") else ""
    return f"{task_run.task_name}{suffix}"


def _report_cached(cached: Task[..., Any], _run: TaskRun, state: State[Any]) -> None:
    if state.name == "Cached":
        report(cached.name, 1, 1, note=FROM_CACHE)


def _is_transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a retry may succeed: not after bad input, a gate's rejection or a bug."""
    try:
        state.result(raise_on_failure=True)
    except StoreError as error:
        return not isinstance(error.__cause__, FileNotFoundError | PermissionError)
    except FerError:
        return False
    except (OSError, TimeoutError):
        return True
    except Exception:  # noqa: BLE001 - anything else would fail again
        return False
    return False


class _LogListener:
    """Writes progress to the log of the task run, at most every 5 seconds per stage."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def __call__(self, progress: Progress) -> None:
        if not in_task_run():
            return
        now = time.monotonic()
        is_last = progress.total > 0 and progress.done >= progress.total
        if not is_last and now - self._last.get(progress.stage, -_LOG_EVERY_S) < _LOG_EVERY_S:
            return
        self._last[progress.stage] = now
        parts = (progress.stage, progress.amount, progress.note)
        get_run_logger().info("%s", "  ".join(part for part in parts if part))
