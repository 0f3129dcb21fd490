"""The decorator of all tasks: cache key, retries of transient errors, progress, artifacts."""

import functools
import inspect
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.tasks import exponential_backoff

from fer_models.errors import FerError, NotFoundError, StoreError
from fer_models.progress import listening, report
from tasks.cache.key import KeyExtra, stage_key
from tasks.completion import FROM_CACHE, Publish, completion_hook
from tasks.execution import note_step, step_name
from tasks.listeners import BarListener, LogListener
from tasks.slot.training_slot import take_training_slot

P = ParamSpec("P")
R = TypeVar("R")

__all__ = ["DONE", "FROM_CACHE", "stage"]

DONE = "done"


def stage(
    entry: str,
    *,
    cache_key_extra: KeyExtra | None = None,
    retries: int = 2,
    cached: bool = True,
    publish: Publish | None = None,
    latest: str = "",
    trains: bool = False,
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
        publish: publishes the artifacts of a finished task run, given its result and its
            parameters by name; called for a result from the cache, too.
        latest: name under which the result is remembered as the latest of its step, such as
            `train-{member.name}`; by default that of the function, if `cached`.
        trains: whether other runs that train must wait until this run has ended
            (`tasks.slot`); a result from the cache needs no turn.

    Example:
        A task around a library function:

            def _publish(split: SnapshotRef, parameters: Mapping[str, Any]) -> None:
                store = ArtifactStore(parameters["store"])
                publish_table("dataset", snapshot_rows(store, split), "Images kept, by class")

            @stage("fer_models.dataset.split", publish=_publish)
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
            bar = BarListener()
            with listening(LogListener()), listening(bar):
                report(function.__name__, 0)
                if trains:
                    take_training_slot(function.__name__)
                began_s = time.perf_counter()
                result = function(*args, **kwargs)
                report(function.__name__, 1, 1, note=DONE)
                bar.finish()
                note_step(_step(args, kwargs), result, time.time(), time.perf_counter() - began_s)
                return result

        def _step(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
            given = inspect.signature(function).bind(*args, **kwargs).arguments
            return step_name(function.__name__, given)

        step = latest or (function.__name__ if cached else "")
        decorated: Task[P, R] = task(
            name=function.__name__,
            task_run_name=_run_name,
            cache_key_fn=cache_key if cached else None,
            persist_result=cached,
            result_serializer="json",
            retries=retries,
            retry_delay_seconds=exponential_backoff(backoff_factor=2),
            retry_condition_fn=_is_transient,
            on_completion=[completion_hook(publish, step)],
        )(run)
        return decorated

    return decorate


def _run_name() -> str:
    from prefect.runtime import task_run

    return step_name(task_run.task_name, task_run.parameters)


def _is_transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a retry may succeed: not after bad input, a gate's rejection or a bug."""
    try:
        state.result(raise_on_failure=True)
    except NotFoundError:
        return False
    except StoreError as error:
        return not isinstance(error.__cause__, FileNotFoundError | PermissionError)
    except FerError:
        return False
    except (OSError, TimeoutError):
        return True
    except Exception:  # noqa: BLE001 - anything else would fail again
        return False
    return False
