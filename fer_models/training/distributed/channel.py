"""Who hears of a distributed training in the process that asked for it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fer_models.errors import FerError
from fer_models.training.engine.results import EpochResult, StepResult


@dataclass(frozen=True)
class Resumed:
    """A worker group started from a checkpoint that holds this many epochs."""

    epochs: int


Event = EpochResult | StepResult | Resumed | FerError


@dataclass(frozen=True)
class Message:
    """A event; `number` names the answer that its writer waits for."""

    number: int
    event: Event


class ProgressChannel:
    """Letters in the order in which they were put in."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._waiting: dict[int, asyncio.Future[bool]] = {}
        self._num_messages = 0
        self._stopped = False
        self._failure: FerError | None = None

    async def send(self, event: Event) -> None:
        """Put a event in that needs no answer."""
        if isinstance(event, FerError):
            self._failure = event
        await self._messages.put(self._message(event))

    async def request(self, event: Event) -> bool:
        """Put a event in and wait until it was read: whether the training is to go on."""
        if self._stopped:
            return False
        message = self._message(event)
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[message.number] = answer
        await self._messages.put(message)
        return await answer

    async def receive(self, timeout_s: float) -> Message | None:
        """The next event; None when none came in time."""
        try:
            return await asyncio.wait_for(self._messages.get(), timeout_s)
        except TimeoutError:
            return None

    async def reply(self, number: int) -> None:
        """The event was read, the training goes on."""
        self._resolve(number, go_on=True)

    async def stop(self) -> None:
        """All who wait and all who will ask on_event that it is enough."""
        self._stopped = True
        for number in list(self._waiting):
            self._resolve(number, go_on=False)

    async def failure(self) -> FerError | None:
        """What a worker told before it gave up."""
        return self._failure

    def _message(self, event: Event) -> Message:
        self._num_messages += 1
        return Message(self._num_messages, event)

    def _resolve(self, number: int, *, go_on: bool) -> None:
        answer = self._waiting.pop(number, None)
        if answer is not None and not answer.done():
            answer.set_result(go_on)


def open_channel() -> Any:
    """An empty channel on the node of this process: it is lost with it, and with no other."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    node_id = ray.get_runtime_context().get_node_id()
    here = NodeAffinitySchedulingStrategy(node_id, soft=False)
    actor: Any = ray.remote(ProgressChannel)
    return actor.options(num_cpus=0, scheduling_strategy=here).remote()


@dataclass
class EventHandler:
    """Passes on each epoch and each step once.

    Workers that were lost begin again after the last checkpoint, and may tell an epoch again.
    """

    on_epoch: Callable[[EpochResult], None]
    on_step: Callable[[StepResult], None]
    on_resumed: Callable[[int], None]
    _last_epoch: int = 0
    _last_step: int = 0

    def on_event(self, event: Event) -> None:
        """Pass a event on."""
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
