"""Run a function on a node of the Ray cluster as if it were called here.

Its progress reaches the listeners of this context, its errors are raised here, and an exception
here (Ctrl-C, SIGTERM, a cancelled flow run) ends it there. If its node is lost, the call is
repeated on another one.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from fer_models.errors import ConfigError, TrainingError
from fer_models.lineage import library_sha
from fer_models.progress import Progress, repeat, report
from fer_models.ray_cluster import (
    Demand,
    node_resources,
    per_connection,
    ray_cluster,
    require_room,
)
from fer_models.remote.channel import open_channel
from fer_models.remote.config import PlacementConfig
from fer_models.remote.node_store import node_store
from fer_models.remote.placement import num_threads, placement_demand, ray_options
from fer_models.remote.worker import Call, Failure, Node, Started, run_call
from fer_models.storage.store import ArtifactStore

T = TypeVar("T")
EventListener = Callable[[Any], None]

STAGE = "node"
"""The stage of progress events about where calls run."""
_POLL_S = 0.5
_CANCEL_S = 10.0
# A lost node may come back, or another one may join, before a call is given up.
_NEW_NODE_S = 120.0
_NO_DEMAND = Demand(who="", remedy="", pieces=0, cpus=0.0)

_cancelled: ContextVar[tuple[threading.Event, ...]] = ContextVar("ferflow_cancelled", default=())


@dataclass(frozen=True)
class Place:
    """Where a call may run, and how it is named in progress and errors.

    `gpu_share` is the part of a GPU that it gets if the placement leaves the GPUs open. A `fresh`
    call gets a process of its own, as every call with a GPU does.
    """

    who: str
    setting: str
    placement: PlacementConfig
    gpu_share: float = 1.0
    fresh: bool = True


class LostNode(Exception):  # noqa: N818 - not an error for the user: the call is repeated
    """The node or the process of a call was lost."""


def call_on_node(
    place: Place,
    function: Callable[..., T],
    *args: Any,
    on_event: EventListener = lambda _: None,
) -> T:
    """Call a function on a node that has the resources, and wait for its result.

    Args:
        place: resources and name of the call.
        function: of a module that the nodes have, too.
        args: its arguments; an `ArtifactStore` arrives as the same store as seen by the node, an
            object reference of Ray as its object.
        on_event: receives what the function sends with `send_event`, in this thread.

    Returns:
        What the function returns.

    Raises:
        ConfigError: the cluster does not answer, is too small, or has another version of ferflow.
        TrainingError: the node was lost too often, the node of this process was lost, or the call
            was cancelled.
        FerError: any that the function raises.
    """
    with ray_cluster(_NO_DEMAND):
        on_this_node = [node_store(arg) if isinstance(arg, ArtifactStore) else arg for arg in args]
        for losses in range(place.placement.node_losses + 1):
            demand = _wait_for_room(place, _NEW_NODE_S if losses else 0.0)
            call = _Running(place, function, demand, on_event)
            try:
                result: T = call.run(on_this_node)
            except LostNode as lost:
                report(STAGE, 0, note=f"{place.who}: {lost}; moving to another node")
            else:
                return result
        raise TrainingError(
            f"{place.who}: lost its node {place.placement.node_losses + 1} times; the same command "
            f"resumes from the last epoch; check Ray's logs, the memory of the nodes, or raise "
            f"{place.setting}.node_losses"
        )


@contextmanager
def shared_on_nodes(value: Any) -> Iterator[Any]:
    """A reference to a value for many calls: a node gets one copy, its processes share it.

    Keeps the connection to Ray open for the block.
    """
    with ray_cluster(_NO_DEMAND):
        import ray

        yield ray.put(value)


@contextmanager
def cancelled_on_error() -> Iterator[None]:
    """Cancel the calls that were started in this block, also from other threads, if it fails.

    Threads must run in a copy of this context, as Prefect's task runners do.
    """
    event = threading.Event()
    token = _cancelled.set((*_cancelled.get(), event))
    try:
        yield
    except BaseException:
        event.set()
        raise
    finally:
        _cancelled.reset(token)


def _wait_for_room(place: Place, timeout_s: float) -> Demand:
    """The request, once the cluster has a node that is large enough for it.

    Raises:
        ConfigError: it has none within the time limit.
    """
    until_s = time.monotonic() + timeout_s
    while True:
        nodes = node_resources()
        demand = placement_demand(place.who, place.setting, place.placement, nodes, place.gpu_share)
        try:
            require_room(demand, nodes)
        except ConfigError:
            _require_not_cancelled(place)
            if time.monotonic() >= until_s:
                raise
            time.sleep(_POLL_S)
        else:
            return demand


def _require_not_cancelled(place: Place) -> None:
    if any(event.is_set() for event in _cancelled.get()):
        raise TrainingError(f"{place.who}: cancelled, because another part of the run failed")


class _Running:
    """One attempt of a call."""

    def __init__(
        self,
        place: Place,
        function: Callable[..., Any],
        demand: Demand,
        on_event: EventListener,
    ) -> None:
        self._place = place
        self._demand = demand
        self._on_event = on_event
        self._topic = uuid.uuid4().hex
        self._channel = per_connection("channel", open_channel)
        threads = num_threads(place.placement)
        self._call = Call(function, self._channel, self._topic, threads, library_sha())
        self._node: Node | None = None

    def run(self, args: list[Any]) -> Any:
        """Run the call; LostNode if its node or process was lost."""
        import ray

        ends_process = self._place.fresh or self._demand.gpus > 0  # frees the GPU's memory
        task: Any = ray.remote(max_calls=int(ends_process))(run_call)
        report(STAGE, 0, note=f"{self._place.who}: waiting for {self._demand.text}")
        result = task.options(**ray_options(self._demand)).remote(self._call, *args)
        try:
            self._relay(result)
        except BaseException as error:
            self._cancel(result)
            if isinstance(error, ray.exceptions.RayActorError):
                raise self._without_channel(error) from error
            raise
        finally:
            self._channel.close_topic.remote(self._topic)
        return self._outcome(result)

    def _relay(self, result: Any) -> None:
        """Pass events on until the call ends."""
        import ray

        while True:
            _require_not_cancelled(self._place)
            message = ray.get(self._channel.receive.remote(_POLL_S, self._topic))
            if message is None:
                if ray.wait([result], timeout=0, fetch_local=False)[0]:
                    return
                continue
            self._handle(message.event)
            self._channel.reply.remote(message.number)

    def _handle(self, event: Any) -> None:
        if isinstance(event, Started):
            self._node = event.node
            report(STAGE, 1, 1, note=f"{self._place.who}: on node {event.node}")
        elif isinstance(event, Progress):
            repeat(event)
        else:
            self._on_event(event)

    def _cancel(self, result: Any) -> None:
        """End the call's process, so that its resources are free."""
        import ray

        with suppress(ray.exceptions.RayError):
            ray.cancel(result, force=True)
            ray.wait([result], timeout=_CANCEL_S, fetch_local=False)

    def _outcome(self, result: Any) -> Any:
        import ray

        errors = ray.exceptions
        try:
            outcome = ray.get(result)
        except (
            errors.WorkerCrashedError,
            errors.NodeDiedError,
            errors.LocalRayletDiedError,
            errors.OutOfMemoryError,
            errors.ObjectLostError,
        ) as error:
            where = f"node {self._node}" if self._node else "its node"
            reason = str(error).strip().splitlines()[0]
            raise LostNode(f"{where} was lost ({type(error).__name__}: {reason})") from error
        except errors.RayTaskError as error:
            raise self._as_error(error) from error
        if isinstance(outcome, Failure):
            raise outcome.error
        return outcome

    def _as_error(self, error: Any) -> BaseException:
        """A bug as it was raised there; a node without ferflow as an error for the user."""
        import ray

        cause: BaseException | None = getattr(error, "cause", None)
        if isinstance(cause, ray.exceptions.RayActorError):
            return self._without_channel(cause)
        if isinstance(cause, ImportError):
            return ConfigError(
                f"{self._place.who}: a node of the cluster can't load ferflow ({cause}); install "
                "the same version of ferflow on all nodes"
            )
        return cause or TrainingError(f"{self._place.who}: {error}")

    def _without_channel(self, error: BaseException) -> TrainingError:
        """The channel is on the node of the driver, whose loss no other node makes up for."""
        return TrainingError(
            f"{self._place.who}: lost the Ray node to which this command is connected "
            f"({type(error).__name__}); see `ray status`, start the node or the cluster again, and "
            "run the same command again: it resumes from the last epoch"
        )
