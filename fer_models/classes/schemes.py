"""Numbering schemes: what the class numbers of published data sets mean.

A number is read only under a scheme that the data proves or the user names. Sources: the data
sets' own documentation.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fer_models.labels import CLASS_NAMES

_CHOICE_SEPARATOR = "; "
_NUMBER = re.compile(r"[+-]?\d{1,9}(?:\.0*)?")


@dataclass(frozen=True)
class LabelScheme:
    """The class name of each number of a data set; an empty name marks images to leave out."""

    title: str
    names: Mapping[int, str]

    def described(self) -> str:
        """Such as `0 angry, 1 disgust, ...`."""
        return ", ".join(f"{number} {name}" for number, name in self.names.items() if name)


def _numbered(title: str, names: str, *, first: int = 0, left_out: range = range(0)) -> LabelScheme:
    numbered = dict(enumerate(names.split(), start=first))
    return LabelScheme(title, {**numbered, **dict.fromkeys(left_out, "")})


SCHEMES: dict[str, LabelScheme] = {
    "fer2013": _numbered("FER2013", " ".join(CLASS_NAMES)),
    "ferplus": _numbered(
        "FER+",
        "neutral happy surprise sad angry disgust fear contempt",
        left_out=range(8, 10),  # unknown, not a face
    ),
    "rafdb": _numbered("RAF-DB", "surprise fear disgust happy sad angry neutral", first=1),
    "affectnet": _numbered(
        "AffectNet",
        "neutral happy sad surprise fear disgust angry contempt",
        left_out=range(8, 11),  # none, uncertain, no face
    ),
    "ckplus": _numbered("CK+ (csv)", "angry disgust fear happy sad surprise neutral contempt"),
    "expw": _numbered("ExpW", "angry disgust fear happy sad surprise neutral"),
}


def scheme_of(setting: str | Sequence[str]) -> LabelScheme:
    """The scheme of `data.label_scheme`: by its name, or as the list of its names from 0."""
    if isinstance(setting, str):
        return SCHEMES[setting]
    return LabelScheme("data.label_scheme", dict(enumerate(setting)))


def number_of(text: str) -> int | None:
    """The number that a label is (`3`, `3.0`); None for any other text."""
    text = text.strip()
    return int(text.partition(".")[0]) if _NUMBER.fullmatch(text) else None


def is_number(text: str) -> bool:
    """Whether a label is a number, and so needs a scheme."""
    return number_of(text) is not None


def is_class_number(number: int) -> bool:
    """Whether any known scheme has a class of this number."""
    return any(scheme.names.get(number) for scheme in SCHEMES.values())


def fitting_schemes(numbers: Sequence[int]) -> list[str]:
    """The schemes that know all of these numbers, by name."""
    return [name for name, scheme in SCHEMES.items() if set(numbers) <= set(scheme.names)]


def scheme_advice(numbers: Sequence[int]) -> str:
    """What the user can set to have these numbers read, with the order of every scheme that fits.

    Example:
        scheme_advice([1, 2, 7])  # "set data.label_scheme to the data set's own numbering: ..."
    """
    fits = fitting_schemes(numbers)
    own = "or your own names, number 0 first: --set data.label_scheme=[first,second,...]"
    if not fits:
        return f"no known numbering has them; give {own.removeprefix('or ')}"
    fits.sort(key=lambda name: {n for n, text in SCHEMES[name].names.items() if text} != {*numbers})
    choices = _CHOICE_SEPARATOR.join(
        f"{name} ({len([n for n in SCHEMES[name].names.values() if n])} classes: "
        f"{SCHEMES[name].described()})"
        for name in fits
    )
    return (
        f"name the numbering of the data set, such as --set data.label_scheme={fits[0]}: "
        f"{choices}; {own}"
    )
