"""What the workers of a training tell the process that asked for it, while they run.

Ray Train gives its driver one result at the end. The mailbox is a Ray actor on the driver's node:
the first worker puts letters in, the driver takes them out, and may answer that it is enough.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from fer_models.errors import FerError
from fer_models.training.results import EpochResult, StepResult


@dataclass(frozen=True)
class Resumed:
    """A worker group started from a checkpoint that holds this many epochs."""

    epochs: int


Letter = EpochResult | StepResult | Resumed | FerError


@dataclass(frozen=True)
class Envelope:
    """A letter; `number` names the answer that its writer waits for."""

    number: int
    letter: Letter


class Mailbox:
    """Letters in the order in which they were put in."""

    def __init__(self) -> None:
        self._letters: asyncio.Queue[Envelope] = asyncio.Queue()
        self._waiting: dict[int, asyncio.Future[bool]] = {}
        self._num_letters = 0
        self._stopped = False
        self._failure: FerError | None = None

    async def tell(self, letter: Letter) -> None:
        """Put a letter in that needs no answer."""
        if isinstance(letter, FerError):
            self._failure = letter
        await self._letters.put(self._sealed(letter))

    async def ask(self, letter: Letter) -> bool:
        """Put a letter in and wait until it was read: whether the training is to go on."""
        if self._stopped:
            return False
        envelope = self._sealed(letter)
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[envelope.number] = answer
        await self._letters.put(envelope)
        return await answer

    async def take(self, timeout_s: float) -> Envelope | None:
        """The next letter; None when none came in time."""
        try:
            return await asyncio.wait_for(self._letters.get(), timeout_s)
        except TimeoutError:
            return None

    async def answer(self, number: int) -> None:
        """The letter was read, the training goes on."""
        self._settle(number, go_on=True)

    async def stop(self) -> None:
        """All who wait and all who will ask hear that it is enough."""
        self._stopped = True
        for number in list(self._waiting):
            self._settle(number, go_on=False)

    async def failure(self) -> FerError | None:
        """What a worker told before it gave up."""
        return self._failure

    def _sealed(self, letter: Letter) -> Envelope:
        self._num_letters += 1
        return Envelope(self._num_letters, letter)

    def _settle(self, number: int, *, go_on: bool) -> None:
        answer = self._waiting.pop(number, None)
        if answer is not None and not answer.done():
            answer.set_result(go_on)


def open_mailbox() -> Any:
    """An empty mailbox on the node of this process: it is lost with it, and with no other."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    node_id = ray.get_runtime_context().get_node_id()
    here = NodeAffinitySchedulingStrategy(node_id, soft=False)
    actor: Any = ray.remote(Mailbox)
    return actor.options(num_cpus=0, scheduling_strategy=here).remote()
