"""Probabilities of a track, smoothed over time."""

import math
from collections.abc import Mapping
from dataclasses import replace

from fer_models.inference.picture import PredictedFace


def smoothed(
    before: Mapping[str, float], new: Mapping[str, float], elapsed_s: float, time_constant_s: float
) -> dict[str, float]:
    """The exponentially weighted mean of probabilities.

    What was seen `time_constant_s` ago weighs 1/e of what is seen now, whatever the frame rate.

    Args:
        before: smoothed probabilities of the frame before.
        new: probabilities of this frame; same classes.
        elapsed_s: seconds between both.
        time_constant_s: seconds; 0 keeps `new`.
    """
    share = 1.0 if time_constant_s <= 0 else -math.expm1(-elapsed_s / time_constant_s)
    return {name: before[name] + share * (value - before[name]) for name, value in new.items()}


class Smoother:
    """Smooths the faces of each track.

    Args:
        time_constant_s: see `smoothed`.
    """

    def __init__(self, time_constant_s: float) -> None:
        self._time_constant_s = time_constant_s
        self._before: dict[int, tuple[float, Mapping[str, float]]] = {}

    def update(self, track: int, time_s: float, face: PredictedFace) -> PredictedFace:
        """The face with smoothed probabilities, and the label and confidence they give."""
        probabilities: Mapping[str, float] = face.probabilities
        if track in self._before:
            then_s, before = self._before[track]
            probabilities = smoothed(
                before, face.probabilities, time_s - then_s, self._time_constant_s
            )
        self._before[track] = (time_s, probabilities)
        label = max(probabilities, key=lambda name: probabilities[name])
        return replace(
            face, label=label, confidence=probabilities[label], probabilities=probabilities
        )
