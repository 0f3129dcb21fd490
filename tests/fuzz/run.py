"""Give mutated inputs to readers, and count what they answer."""

import random
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from fer_models.errors import FerError
from tests.fuzz.mutate import mutated
from tests.fuzz.readers import Reader

LIMIT_S = 60
"""A reader that takes longer hangs."""


class HungError(BaseException):
    """A reader did not come back. Not an `Exception`: no reader may catch it."""


@dataclass
class Outcome:
    """What the inputs of one reader led to."""

    reader: str
    num_inputs: int = 0
    num_read: int = 0
    num_refused: int = 0
    slowest_s: float = 0.0
    crashes: list[str] = field(default_factory=list)
    """The seed of each input that crashed or hung the reader, with the error."""


def fuzz(reader: Reader, num_inputs: int, seed: int) -> Outcome:
    """Read the valid input, which must work, and `num_inputs` mutations of it."""
    outcome = Outcome(reader.name)
    with TemporaryDirectory() as folder:
        _read(reader, reader.content, Path(folder) / "valid")
        for number in range(num_inputs):
            case = f"{seed}/{reader.name}/{number}"
            content = mutated(reader.content, random.Random(case))
            _count(outcome, reader, content, case, Path(folder) / str(number))
    return outcome


def _count(outcome: Outcome, reader: Reader, content: bytes, case: str, folder: Path) -> None:
    outcome.num_inputs += 1
    start = time.perf_counter()
    try:
        with _limit():
            _read(reader, content, folder)
        outcome.num_read += 1
    except FerError as error:
        if error.exit_code == 2 and str(error).strip():
            outcome.num_refused += 1
        else:
            outcome.crashes.append(f"{case}: {type(error).__name__} {error}")
    except (Exception, HungError) as error:  # noqa: BLE001 - that is what is looked for
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
        outcome.crashes.append(f"{case}: {text[:400]}")
    outcome.slowest_s = max(outcome.slowest_s, time.perf_counter() - start)


def _read(reader: Reader, content: bytes, folder: Path) -> None:
    folder.mkdir()
    path = folder / reader.file
    path.write_bytes(content)
    reader.read(path)


@contextmanager
def _limit() -> Iterator[None]:
    def hung(_: int, __: FrameType | None) -> None:
        raise HungError(f"no answer within {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, hung)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
