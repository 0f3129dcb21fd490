"""What follows every completed task run, executed or from the cache.

Its artifacts are published, and its result is remembered in the store as the latest of its step, so
that commands find what the last run made. Neither can fail the task.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prefect import Task
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.futures import resolve_futures_to_results
from prefect.logging import get_run_logger

from fer_models.progress import report
from fer_models.storage.latest import remember
from fer_models.storage.refs import ArtifactRef
from fer_models.storage.store import ArtifactStore
from tasks.execution import note_step, step_name

FROM_CACHE = "from the cache"
Parameters = Mapping[str, Any]
Publish = Callable[[Any, Parameters], None]
Hook = Callable[[Task[..., Any], TaskRun, State[Any]], None]


def completion_hook(publish: Publish | None, latest: str) -> Hook:
    """A Prefect hook that publishes and remembers the result of a task run.

    Args:
        publish: publishes artifacts, given the result and the parameters of the call.
        latest: name of the step in the store, in which `{member.name}` stands for a parameter;
            empty for a result that is not remembered.
    """

    def publish_and_remember(task: Task[..., Any], _run: TaskRun, state: State[Any]) -> None:
        if state.name == "Cached":
            report(task.name, 1, 1, note=FROM_CACHE)
        context = TaskRunContext.get()
        if context is None:
            return
        with logged("the result is not available"):
            result = state.result()
            # As given in the call: possibly futures of other tasks.
            parameters = resolve_futures_to_results(context.parameters)
            if state.name == "Cached":
                note_step(step_name(task.name, parameters), result, time.time(), None, cached=True)
            if latest:
                with logged("the result was not remembered as the latest"):
                    _remember(latest, result, parameters)
            if publish is not None:
                with logged("artifacts were not published"):
                    publish(result, parameters)

    return publish_and_remember


@contextmanager
def logged(consequence: str) -> Iterator[None]:
    """Write an exception in the block to the log of the run, as a warning, and go on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the work is done; this must not fail it
        get_run_logger().warning("%s: %s: %s", consequence, type(error).__name__, error)


def _remember(latest: str, result: Any, parameters: Parameters) -> None:
    if isinstance(result, ArtifactRef):
        remember(ArtifactStore(parameters["store"]), latest.format(**parameters), result)
