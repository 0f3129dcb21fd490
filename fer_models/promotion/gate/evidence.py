"""What the gate judges by: arrays and facts, without a store.

N validation images, K classes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DataGate:
    """The verdict about the data that the candidate was trained on."""

    passed: bool
    num_errors: int


@dataclass(frozen=True)
class ModelCost:
    """What one prediction costs; None where it is not known."""

    parameters: int | None
    multiply_adds: int | None
    """Over all members and views of test-time augmentation."""


@dataclass(frozen=True)
class NewerData:
    """Whether the data changed since the champion's training, and how, in words."""

    changed: bool
    text: str


@dataclass(frozen=True)
class ChampionEvidence:
    """The champion on the candidate's validation images."""

    model_id: str
    correct_N: Bools
    compared_N: Bools
    """Images that count in the comparison: those that neither model was trained on."""
    notes: tuple[str, ...] = ()
    """What the decision says about the comparison, such as images that favour one model."""
    costs: Callable[[], tuple[ModelCost, ModelCost]] = field(
        default=lambda: (ModelCost(None, None), ModelCost(None, None))
    )
    """Of the candidate and the champion; called only if the decision depends on it."""
    newer: Callable[[], NewerData] = field(
        default=lambda: NewerData(False, "trained on the same data")
    )


@dataclass(frozen=True)
class Evidence:
    """All that the gate judges by.

    Attributes:
        labels_N: class numbers 0..K-1.
        probs_NK: the candidate's probabilities, as it would be used.
        groups_N: images with the same number are copies of each other.
        class_names: K names.
        has_temperature: whether `probs_NK` are scaled by a temperature of the candidate's own.
        data_gate: None if no verdict is known.
        slices: named subsets of the images.
        champion: None for the first one.
        no_champion: why there is none to compare with.
        notes: what the decision says about the candidate's accuracy, such as a reason why it may be
            too good.
    """

    labels_N: Ints
    probs_NK: Probabilities
    groups_N: Ints
    class_names: Sequence[str]
    has_temperature: bool = False
    data_gate: DataGate | None = None
    slices: Mapping[str, Bools] = field(default_factory=dict)
    champion: ChampionEvidence | None = None
    no_champion: str = "first champion"
    notes: tuple[str, ...] = ()

    @property
    def all_notes(self) -> tuple[str, ...]:
        """Those about the candidate, and those about the comparison."""
        return (*self.notes, *(self.champion.notes if self.champion else ()))

    @property
    def correct(self) -> Bools:
        """Whether the candidate's most probable class is the label."""
        correct: Bools = self.probs_NK.argmax(axis=1) == self.labels_N
        return correct
