"""Progress channel from the workers of a distributed training to its driver.

Not `ray.util.queue.Queue`: workers wait for the driver's reply, and stopping must release them.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fer_models.errors import FerError
from fer_models.training.engine.results import EpochResult, StepResult


@dataclass(frozen=True)
class Resumed:
    """A worker group resumed from a checkpoint with this many finished epochs."""

    epochs: int


Event = EpochResult | StepResult | Resumed | FerError


@dataclass(frozen=True)
class Message:
    """An event and its number, to which the driver replies."""

    number: int
    event: Event


class ProgressChannel:
    """Ray actor with a first-in, first-out queue of messages from workers to the driver."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._replies: dict[int, asyncio.Future[bool]] = {}
        self._num_messages = 0
        self._stopped = False
        self._failure: FerError | None = None

    async def send(self, event: Event) -> None:
        """Send an event without waiting for a reply."""
        if isinstance(event, FerError):
            self._failure = event
        await self._messages.put(self._message(event))

    async def request(self, event: Event) -> bool:
        """Send an event and wait for the reply; returns whether to continue training."""
        if self._stopped:
            return False
        message = self._message(event)
        reply: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._replies[message.number] = reply
        await self._messages.put(message)
        return await reply

    async def receive(self, timeout_s: float) -> Message | None:
        """The next message; None after `timeout_s` without one."""
        try:
            return await asyncio.wait_for(self._messages.get(), timeout_s)
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

    async def failure(self) -> FerError | None:
        """The user-fixable error that a worker sent before it ended, if any."""
        return self._failure

    def _message(self, event: Event) -> Message:
        self._num_messages += 1
        return Message(self._num_messages, event)

    def _resolve(self, number: int, *, keep_training: bool) -> None:
        reply = self._replies.pop(number, None)
        if reply is not None and not reply.done():
            reply.set_result(keep_training)


def open_channel() -> Any:
    """Start a channel on the node of this process, so that losing another node keeps it."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    node_id = ray.get_runtime_context().get_node_id()
    here = NodeAffinitySchedulingStrategy(node_id, soft=False)
    actor: Any = ray.remote(ProgressChannel)
    return actor.options(num_cpus=0, scheduling_strategy=here).remote()


@dataclass
class EventHandler:
    """Calls the callbacks once for every epoch and every reported step.

    After a loss the workers restart from the last checkpoint and may send events again; repeated
    ones are dropped.
    """

    on_epoch: Callable[[EpochResult], None]
    on_step: Callable[[StepResult], None]
    on_resumed: Callable[[int], None]
    _last_epoch: int = 0
    _last_step: int = 0

    def on_event(self, event: Event) -> None:
        """Call the callback for an event, unless it is a repeat."""
        if isinstance(event, Resumed):
            self._last_epoch = max(self._last_epoch, event.epochs)
            self.on_resumed(event.epochs)
        elif isinstance(event, StepResult) and event.step > self._last_step:
            self._last_step = event.step
            self.on_step(event)
        elif isinstance(event, EpochResult) and event.epoch > self._last_epoch:
            self._last_epoch = event.epoch
            self._last_step = max(self._last_step, event.step)
            self.on_epoch(event)
