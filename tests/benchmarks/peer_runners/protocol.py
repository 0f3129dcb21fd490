"""What a runner reads and writes, and how everything is timed. Needs numpy alone.

N images, C classes of the package.
"""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

Predict = Callable[[np.ndarray], np.ndarray]
"""Probabilities N x C of uint8 images N x 48 x 48."""

WARM_UP_IMAGES = 64
SHORT_S = 5.0
"""A pass over all images that is shorter is repeated."""
REPETITIONS = 3


class Loaded(NamedTuple):
    """A network, ready to predict.

    Attributes:
        predict: N x 48 x 48 uint8 -> N x C probabilities.
        classes: C names, as the package calls them.
        parameters: number of weights, 0 if the package does not tell.
    """

    predict: Predict
    classes: Sequence[str]
    parameters: int


class Timed(NamedTuple):
    """The answers to all images, and the time of the best pass."""

    probs: np.ndarray
    seconds: float
    cpu_seconds: float


def timed(predict: Predict, images: np.ndarray) -> Timed:
    """Predict all images after a warm-up; the best of three passes if a pass takes under 5 s."""
    predict(images[:WARM_UP_IMAGES])
    best = None
    for _ in range(REPETITIONS):
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        probs = predict(images)
        seconds, cpu_s = time.perf_counter() - start_s, time.process_time() - start_cpu_s
        if best is None or seconds < best.seconds:
            best = Timed(probs, seconds, cpu_s)
        if seconds >= SHORT_S:
            break
    return best


def answer(load: Callable[[Sequence[str]], Loaded]) -> None:
    """Run a package: `load` gets the options of the command line.

    Whatever prevents it is printed as one line, and the exit code is 1.
    """
    images_file, answer_file, *options = sys.argv[1:]
    try:
        loaded = load(options)
        result = timed(loaded.predict, np.load(images_file))
    except BaseException as error:  # noqa: BLE001 - the caller lists it as not at hand
        text = " ".join(str(error).split())
        sys.exit(f"{type(error).__name__}: {text}" if text else type(error).__name__)
    with Path(answer_file).open("wb") as file:
        np.savez(
            file,
            probs=np.asarray(result.probs, dtype=np.float64),
            classes=np.array(list(loaded.classes)),
            parameters=loaded.parameters,
            seconds=result.seconds,
            cpu_seconds=result.cpu_seconds,
        )


def in_batches(images: np.ndarray, size: int, predict: Predict) -> np.ndarray:
    """The answers to `size` images at a time."""
    starts = range(0, len(images), size)
    return np.concatenate([predict(images[start : start + size]) for start in starts])


def as_colour(image: np.ndarray) -> np.ndarray:
    """A grey crop S x S as S x S x 3, for packages that expect colour."""
    return np.repeat(image[:, :, None], 3, axis=2)
