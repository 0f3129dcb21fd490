"""The classes of a data set, in the order of their numbers.

A snapshot and every model carry their class list. K classes, V vote columns of FER+.
"""

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_models.classes.names import CONTEMPT, emotion_of
from fer_models.errors import DataError
from fer_models.labels import CLASS_NAMES, FerPlusVote

_KEY_CHARACTERS = 8
_VOTED_EMOTIONS = {
    FerPlusVote.NEUTRAL: "neutral",
    FerPlusVote.HAPPINESS: "happy",
    FerPlusVote.SURPRISE: "surprise",
    FerPlusVote.SADNESS: "sad",
    FerPlusVote.ANGER: "angry",
    FerPlusVote.DISGUST: "disgust",
    FerPlusVote.FEAR: "fear",
    FerPlusVote.CONTEMPT: CONTEMPT,
}


@dataclass(frozen=True)
class ClassList:
    """The names of K classes; a label is a position in `names`.

    `class_of_emotion` is the class of each basic emotion that the data set contains, under its
    common name (`happy`): several after a merge (`positive`), none for one that was dropped.

    Example:
        classes = ClassList.named(["happy", "sad", "bored"])
        classes.number("happiness")  # 0
        classes.names[2]  # "bored"
    """

    names: tuple[str, ...]
    class_of_emotion: Mapping[str, str]

    @classmethod
    def named(cls, names: Sequence[str]) -> "ClassList":
        """The list of these names; each basic emotion is the class that has one of its names."""
        emotions = {emotion_of(name): name for name in names if emotion_of(name)}
        return cls(tuple(names), emotions)

    @classmethod
    def from_info(cls, info: Mapping[str, Any]) -> "ClassList":
        """Of an artifact's metadata; FER2013's seven if it was written before class lists."""
        stored = info.get("classes")
        if stored is None:
            return FER2013_CLASSES
        if isinstance(stored, Mapping):
            return cls(tuple(stored["names"]), dict(stored["emotions"]))
        return cls.named(stored)

    def info(self) -> dict[str, Any]:
        """The list as metadata of an artifact."""
        return {"names": list(self.names), "emotions": dict(self.class_of_emotion)}

    def __len__(self) -> int:
        """K."""
        return len(self.names)

    @property
    def is_fer2013(self) -> bool:
        """Whether these are FER2013's seven classes in its order."""
        return self.names == CLASS_NAMES

    @property
    def key(self) -> str:
        """Identifies the names and their order in ids and aliases; "" for FER2013's seven."""
        if self.is_fer2013:
            return ""
        text = "\0".join(self.names)
        return hashlib.sha256(text.encode()).hexdigest()[:_KEY_CHARACTERS]

    def number(self, text: str) -> int:
        """The class number of a name: of a class, or another name of the same emotion.

        Raises:
            DataError: there is no such class; the message lists the classes.
        """
        label = text.strip().casefold()
        for number, name in enumerate(self.names):
            if label == name.casefold():
                return number
        emotion = emotion_of(label)
        if emotion in self.class_of_emotion:
            return self.names.index(self.class_of_emotion[emotion])
        near = difflib.get_close_matches(label, self.names, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise DataError(f"expected one of {', '.join(self.names)}, got {text!r}{hint}")

    def vote_classes(self) -> npt.NDArray[np.int64]:
        """The class number of each of FER+'s V votes; -1 for a vote without a class."""
        numbers = np.full(len(FerPlusVote), -1, dtype=np.int64)
        for vote, emotion in _VOTED_EMOTIONS.items():
            if emotion in self.class_of_emotion:
                numbers[vote] = self.names.index(self.class_of_emotion[emotion])
        return numbers

    def require_same(self, other: "ClassList", ours: str, theirs: str) -> None:
        """Check that two lists have the same names in the same order.

        Raises:
            DataError: they differ; names both sides and what to do.
        """
        if self.names != other.names:
            raise DataError(
                f"different classes: {ours} has {', '.join(self.names)}; {theirs} has "
                f"{', '.join(other.names)}; name the classes with data.classes, so that both have "
                "the same ones in the same order, or use another store for the other classes"
            )


FER2013_CLASSES = ClassList.named(CLASS_NAMES)
