"""Traits of synthetic faces: action units of the expression, identity, pose and photography.

N faces. Every trait is a float32 array of N values. Facial action units (FACS, Ekman and Friesen
1978) range from 0 (absent) to 1 (full); their combinations for each expression follow EMFACS. Only
sums, products, quotients and comparisons of uniform draws are used, so that IEEE arithmetic gives
the same traits on every machine.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_models.labels import Expression

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.int64]
Traits = dict[str, Floats]

# Action unit -> mean strength, for each expression; all of them vary within a class.
PROTOTYPES: Mapping[Expression, Mapping[int, float]] = {
    Expression.ANGRY: {4: 1.0, 5: 0.45, 7: 0.7, 23: 0.9, 10: 0.15},
    Expression.DISGUST: {9: 1.0, 10: 0.7, 15: 0.45, 17: 0.6, 7: 0.4, 4: 0.3},
    Expression.FEAR: {1: 0.9, 2: 0.55, 4: 0.5, 5: 0.9, 20: 1.0, 25: 0.6},
    Expression.HAPPY: {6: 0.75, 12: 1.0, 25: 0.5},
    Expression.SAD: {1: 0.85, 4: 0.45, 15: 0.9, 17: 0.3, 43: 0.4},
    Expression.SURPRISE: {1: 0.95, 2: 1.0, 5: 0.75, 25: 0.6, 26: 1.0},
    Expression.NEUTRAL: {},
}
ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 15, 17, 20, 23, 25, 26, 43)

_DROP_PROBABILITY = 0.1  # that a supporting action unit of the prototype is absent
_SUPPORTING = 0.8  # mean strength below which an action unit only supports the expression
_STRAY_PROBABILITY = 0.05  # that an action unit outside the prototype is present
_STRAY_STRENGTH = 0.45

# Trait -> range of a uniform draw. Lengths are in half face heights, angles are tangents of the
# half angle, grey values are 0..1.
_RANGES: Mapping[str, tuple[float, float]] = {
    # identity
    "skin": (0.42, 0.9),
    "hair": (0.04, 0.55),
    "face_width": (0.66, 0.82),
    "jaw": (0.04, 0.3),
    "hairline": (-0.86, -0.6),
    "long_hair": (-1.0, 1.0),
    "eye_distance": (0.33, 0.4),
    "eye_height": (-0.17, -0.07),
    "eye_width": (0.165, 0.205),
    "eye_opening": (0.85, 1.25),
    "eye_slant": (-0.025, 0.025),
    "iris": (0.08, 0.4),
    "brow_height": (0.15, 0.22),
    "brow_thickness": (0.025, 0.055),
    "brow_arch": (0.01, 0.05),
    "nose_length": (0.2, 0.3),
    "nose_width": (0.08, 0.13),
    "mouth_height": (0.49, 0.58),
    "mouth_width": (0.25, 0.33),
    "mouth_rest": (-0.03, 0.03),
    "lip_thickness": (0.03, 0.07),
    "lip_tone": (0.6, 0.9),
    "age": (0.0, 1.0),
    "beard": (-2.2, 1.0),
    # pose and gaze
    "scale": (22.5, 27.5),
    "shift_x": (-2.0, 2.0),
    "shift_y": (-2.0, 2.0),
    "roll": (-0.13, 0.13),
    "yaw": (-0.16, 0.16),
    "pitch": (-0.06, 0.06),
    "gaze_x": (-0.05, 0.05),
    "asymmetry": (-0.25, 0.25),
    # photography
    "light_x": (-0.75, 0.75),
    "light_y": (-0.6, 0.25),
    "backdrop": (0.05, 0.95),
    "backdrop_slope": (-0.35, 0.35),
    "exposure": (0.7, 1.3),
    "contrast": (-0.3, 0.45),
    "noise": (0.004, 0.03),
    "blur": (-0.6, 0.7),
    # occlusion: absent below 0, which is most of the range
    "glasses": (-4.5, 1.0),
    "glasses_size": (0.2, 0.25),
    "cover": (-40.0, 1.0),
    "cover_x": (-0.9, 0.9),
    "cover_y": (-0.8, 1.0),
}


def draw_traits(labels: Integers, rng: np.random.Generator) -> Traits:
    """Draw the traits of one face for each label (0..6).

    Returns:
        float32 arrays of N values: action units `au1`, `au2`, ... (0..1), and the traits of
        identity, pose, photography and occlusion.
    """
    traits = _draw_units(labels, rng)
    for name, (low, high) in _RANGES.items():
        values = low + (high - low) * rng.random(len(labels))
        traits[name] = values.astype(np.float32)
    return traits


def _draw_units(labels: Integers, rng: np.random.Generator) -> Traits:
    count = len(labels)
    # Some faces have a faint expression, so that the classes overlap with neutral.
    strength = 0.75 + 0.35 * rng.random(count)
    units: Traits = {}
    for unit in ACTION_UNITS:
        by_class = np.array([PROTOTYPES[expression].get(unit, 0.0) for expression in Expression])
        own = by_class[labels] * strength * (0.65 + 0.5 * rng.random(count))
        absent = rng.random(count) < _DROP_PROBABILITY
        own[absent & (by_class[labels] < _SUPPORTING)] = 0.0
        stray = (rng.random(count) < _STRAY_PROBABILITY) * _STRAY_STRENGTH * rng.random(count)
        units[f"au{unit}"] = np.clip(np.maximum(own, stray), 0.0, 1.0).astype(np.float32)
    return units
