"""What runs on a node: a call of the driver, with its progress and errors sent back.

Imports as little as possible: the thread settings must be in place before torch is loaded.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from fer_models.cluster_address import LOCAL_VARIABLE
from fer_models.errors import ConfigError, FerError
from fer_models.lineage import library_sha
from fer_models.progress import Progress, listening
from fer_models.remote.node_store import NodeStore, open_on_node


@dataclass(frozen=True)
class Node:
    """A node of the cluster: Ray's id and the name of the machine."""

    id: str
    host: str

    def __str__(self) -> str:
        """The host and the beginning of the id."""
        return f"{self.host} ({self.id[:8]})"


@dataclass(frozen=True)
class Started:
    """The first event of a call: the node that it runs on."""

    node: Node


@dataclass(frozen=True)
class Failure:
    """The result of a call that raised an error for the user."""

    error: FerError


@dataclass(frozen=True)
class Call:
    """What a node needs to run a call."""

    function: Callable[..., Any]
    channel: Any
    topic: str
    threads: int
    library_sha: str


@dataclass(frozen=True)
class _Context:
    node: Node
    call: Call


_context: ContextVar[_Context | None] = ContextVar("ferflow_call", default=None)


def current_node() -> Node | None:
    """The node that runs the current call; None in the driver and without a cluster."""
    context = _context.get()
    return context.node if context else None


def send_event(event: Any) -> None:
    """Send an event of the current call to its driver, without waiting."""
    import ray

    context = _context.get()
    assert context is not None
    ray.get(context.call.channel.send.remote(event, context.call.topic))


def run_call(call: Call, *args: Any) -> Any:
    """Run the call's function on this node; an error for the user is returned as a `Failure`."""
    _limit_process(call)
    try:
        with _on_node(call):
            return call.function(
                *(open_on_node(arg) if isinstance(arg, NodeStore) else arg for arg in args)
            )
    except FerError as error:
        return Failure(error)


@contextmanager
def _on_node(call: Call) -> Iterator[None]:
    import ray

    node = Node(ray.get_runtime_context().get_node_id(), socket.gethostname())
    if library_sha() != call.library_sha:
        raise ConfigError(
            f"node {node}: expected the driver's ferflow (source {call.library_sha}), got "
            f"{library_sha()}; install the same version on all nodes"
        )

    def request(event: Any) -> None:
        ray.get(call.channel.request.remote(event, call.topic))

    def relay(progress: Progress) -> None:
        request(progress)

    token = _context.set(_Context(node, call))
    try:
        request(Started(node))
        with listening(relay):
            yield
    finally:
        _context.reset(token)


def _limit_process(call: Call) -> None:
    """Use only the reserved threads and GPUs, and call nothing on the cluster from here."""
    import ray

    os.environ[LOCAL_VARIABLE] = "1"
    os.environ["OMP_NUM_THREADS"] = str(call.threads)
    if not ray.get_gpu_ids():
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
