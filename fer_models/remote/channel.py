"""Progress channel from processes on the nodes of a Ray cluster to their driver.

Not `ray.util.queue.Queue`: workers wait for the driver's reply, and stopping must release them.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from fer_models.errors import FerError


@dataclass(frozen=True)
class Message:
    """An event and its number, to which the driver replies."""

    number: int
    event: Any


class ProgressChannel:
    """Ray actor with first-in, first-out queues of messages to the driver, one per topic."""

    def __init__(self) -> None:
        self._messages: defaultdict[str, asyncio.Queue[Message]] = defaultdict(asyncio.Queue)
        self._replies: dict[int, asyncio.Future[bool]] = {}
        self._num_messages = 0
        self._stopped = False
        self._failure: FerError | None = None

    async def send(self, event: Any, topic: str = "") -> None:
        """Send an event without waiting for a reply."""
        if isinstance(event, FerError):
            self._failure = event
        await self._messages[topic].put(self._message(event))

    async def request(self, event: Any, topic: str = "") -> bool:
        """Send an event and wait for the reply; returns whether to continue training."""
        if self._stopped:
            return False
        message = self._message(event)
        reply: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._replies[message.number] = reply
        await self._messages[topic].put(message)
        return await reply

    async def receive(self, timeout_s: float, topic: str = "") -> Message | None:
        """The next message of a topic; None after `timeout_s` without one."""
        try:
            return await asyncio.wait_for(self._messages[topic].get(), timeout_s)
        except TimeoutError:
            return None

    async def reply(self, number: int) -> None:
        """Reply to message `number`: continue training."""
        self._resolve(number, keep_training=True)

    async def stop(self) -> None:
        """Reply "stop" to all pending and future requests."""
        self._stopped = True
        for number in list(self._replies):
            self._resolve(number, keep_training=False)

    async def close_topic(self, topic: str) -> None:
        """Drop a topic with its messages."""
        self._messages.pop(topic, None)

    async def failure(self) -> FerError | None:
        """The user-fixable error that a worker sent before it ended, if any."""
        return self._failure

    def _message(self, event: Any) -> Message:
        self._num_messages += 1
        return Message(self._num_messages, event)

    def _resolve(self, number: int, *, keep_training: bool) -> None:
        reply = self._replies.pop(number, None)
        if reply is not None and not reply.done():
            reply.set_result(keep_training)


def open_channel() -> Any:
    """Start a channel on the node of this process, so that losing another node keeps it."""
    return start_here(ProgressChannel)


def start_here(actor_class: type, *args: Any) -> Any:
    """Start an actor without reserved resources on the node of this process."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    node_id = ray.get_runtime_context().get_node_id()
    here = NodeAffinitySchedulingStrategy(node_id, soft=False)
    actor: Any = ray.remote(actor_class)
    return actor.options(num_cpus=0, scheduling_strategy=here).remote(*args)
