"""Start tasks of a flow side by side on a cluster, one after the other without one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias, TypeVar

from prefect import Task
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture, as_completed

from fer_models.cluster_address import check_cluster, uses_cluster

R = TypeVar("R")
Started: TypeAlias = R | PrefectFuture[R]
"""The result of a task that was called, or the future of one that was submitted."""


class Start(Protocol):
    """Starts a task: returns its result, or a future that other tasks take as an argument."""

    def __call__(self, task: Task[..., R], *args: Any) -> Started[R]:
        """Start the task with these arguments, futures among them."""


@contextmanager
def side_by_side() -> Iterator[Start]:
    """A function that starts tasks; on a Ray cluster it does not wait for them.

    A task waits for the futures among its arguments, so tasks that are started in order of their
    dependencies run in that order. If the block fails, all tasks that it started are cancelled.

    Example:
        with side_by_side() as start:
            teacher = start(train, snapshot, members[0], ...)
            student = start(train, snapshot, members[1], ..., [teacher])
            models = results([teacher, student])

    Raises:
        ConfigError: RAY_ADDRESS is set, but no cluster answers there.
    """
    if not uses_cluster() or FlowRunContext.get() is None:
        yield _call
        return
    check_cluster()
    from fer_models.remote.call import cancelled_on_error

    with cancelled_on_error():
        yield _submit


def results(started: Iterable[Started[R]]) -> list[R]:
    """The results of started tasks, in their order; the first failure is raised at once."""
    values = list(started)
    for future in as_completed([value for value in values if isinstance(value, PrefectFuture)]):
        future.result()
    return [value.result() if isinstance(value, PrefectFuture) else value for value in values]


def _call(task: Task[..., R], *args: Any) -> R:
    return task(*args)


def _submit(task: Task[..., R], *args: Any) -> PrefectFuture[R]:
    return task.submit(*args)
