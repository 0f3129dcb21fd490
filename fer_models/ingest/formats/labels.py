"""Label texts of one source: names of any spelling, or numbers under a known scheme."""

import difflib
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from fer_models.classes.mapping import ClassSetting, named_classes
from fer_models.classes.names import EMOTIONS, class_name, name_problem, number_in_front
from fer_models.classes.schemes import (
    SCHEMES,
    LabelScheme,
    is_class_number,
    is_number,
    number_of,
    scheme_advice,
    scheme_of,
)
from fer_models.dataset.image_format import THUMBNAIL, ImageFormat
from fer_models.ingest.config import TableConfig
from fer_models.ingest.findings import Findings
from fer_models.ingest.source_table import SourceTable
from fer_models.labels import UNLABELLED

LEFT_OUT = -2
"""Label of an image that the scheme leaves out, such as AffectNet's "no face"."""
_NO_LABEL = ("-1", "-1.0")
_SHOWN_CHARACTERS = 30
_NUM_SHOWN = 12
_MIN_SIMILARITY = 0.75


@dataclass(frozen=True)
class LabelSettings:
    """What the user says of the labels: `data.label_scheme`, `data.classes` and `data.table`."""

    scheme: str | tuple[str, ...] = ""
    classes: ClassSetting = None
    table: TableConfig = field(default_factory=TableConfig)
    """`data.table`: the columns of tables."""
    image_format: ImageFormat = THUMBNAIL
    """The format of the images of all sources."""
    ignored: bool = False
    """Whether all images count as unlabelled, whatever the labels are."""
    has_several_sources: bool = False
    """A scheme is then for those sources that prove no other one."""
    slice_columns: tuple[str, ...] = ()
    """`data.slice_columns`, in lower case."""
    finds_faces: bool = False
    """Whether images without a box are cut to their largest face: `data.faces`."""

    def is_known(self, name: str) -> bool:
        """Whether a name is a basic emotion, or one that the user has named."""
        return name in EMOTIONS or name in named_classes(self.classes)

    def with_table(self, path: str) -> "LabelSettings":
        """The same settings for a table of labels at this path."""
        return replace(self, table=self.table.model_copy(update={"path": path}))


DEFAULT_LABELS = LabelSettings()


@dataclass
class LabelReader:
    """Numbers the labels of one source by a vocabulary of its own, `names`.

    Example:
        labels = LabelReader(LabelSettings(), proven="fer2013")
        labels.read("3"), labels.names[3]  # (3, ""), "happy"

    Args:
        settings: what the user says.
        proven: the scheme that the source itself proves by its columns or files; "" for none.
        own: names that the source itself gives to its numbers, or the scheme of a published file
            that has no other: before `data.label_scheme`, which is for sources without.
        missing: texts of images without a label, besides -1, which no numbering has.
    """

    settings: LabelSettings
    proven: str = ""
    own: LabelScheme | None = None
    missing: tuple[str, ...] = ()
    names: list[str] = field(default_factory=list)
    _seen: dict[str, tuple[int, str]] = field(default_factory=dict)
    _texts: Counter[str] = field(default_factory=Counter)
    _foreign: dict[int, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take the names of a known scheme, in its order."""
        self._numbers: dict[int, int] = {}
        scheme = self.scheme
        for number, name in scheme.names.items() if scheme else ():
            self._numbers[number] = self._position(class_name(name)) if name else LEFT_OUT

    @property
    def scheme(self) -> LabelScheme | None:
        """The scheme of numbers: the source's own, else the user's, else the proven one."""
        if self.own:
            return self.own
        proven = SCHEMES[self.proven] if self.proven else None
        if not self.settings.scheme:
            return proven
        chosen = scheme_of(self.settings.scheme)
        is_kept = proven is not None and self.settings.has_several_sources
        return proven if is_kept and proven and not _agree(proven, chosen) else chosen

    def read(self, text: str) -> tuple[int, str]:
        """Position of the label in `names` (or UNLABELLED, LEFT_OUT), and its problem or ""."""
        if self.settings.ignored or text.strip() in (*_NO_LABEL, *self.missing):
            return UNLABELLED, ""
        found = self._seen.get(text)
        if found is None:
            found = self._seen[text] = self._read(text)
        self._texts[text] += 1
        return found

    def finish(self, findings: Findings) -> None:
        """Report numbers that can't be read, once for the whole source, and doubtful names."""
        for name, meant in self._near_names():
            findings.add_note(
                f"{name} is a class of its own; if it means {meant}, merge them with "
                f"data.classes={{{meant}: [{meant}, {name}]}}"
            )
        findings.notes.extend(self._merged_notes())
        findings.notes.extend(self._scheme_notes())
        if not self._foreign:
            return
        numbers = sorted(self._foreign)
        if self.proven:
            known = SCHEMES[self.proven]
            everything = sorted(
                {*numbers, *(n for n in map(number_of, self._texts) if n is not None)}
            )
            findings.add_fault(
                f"label {', '.join(map(str, numbers))} occurs: this is not {known.title}'s "
                f"numbering ({known.described()}); {scheme_advice(everything)}"
            )
        else:
            findings.add_fault(
                f"the labels are numbers ({_few(numbers)}), and nothing says what they mean; "
                f"{scheme_advice(numbers)}"
            )

    def named(self, table: SourceTable) -> SourceTable:
        """The table with the meaning of its labels."""
        return replace(table, label_names=tuple(self.names), label_facts=self.facts())

    def facts(self) -> dict[str, Any]:
        """What each text of the source was read as, for the snapshot's metadata."""
        mapping = {
            text: self.names[label] if label >= 0 else None
            for text, (label, problem) in sorted(self._seen.items())
            if not problem and label != UNLABELLED
        }
        is_numbered = any(number_of(text) is not None for text in mapping)
        own = next((key for key, scheme in SCHEMES.items() if scheme is self.own), "file")
        chosen = own if self.own else self.settings.scheme or self.proven
        return {
            "scheme": (chosen if isinstance(chosen, str) else "own") if is_numbered else "",
            "labels": mapping,
        }

    def _scheme_notes(self) -> list[str]:
        """Which of two schemes was used, if the user names another one than the source proves."""
        scheme = self.scheme
        if not (self.settings.scheme and scheme and any(map(is_number, self._seen))):
            return []
        if scheme != scheme_of(self.settings.scheme):
            meaning = scheme.described()
            return [f"data.label_scheme does not apply, the source has its own numbers: {meaning}"]
        if self.proven and not _agree(SCHEMES[self.proven], scheme):
            known = SCHEMES[self.proven].title
            return [f"the columns are {known}'s, the numbers are read as data.label_scheme says"]
        return []

    def _merged_notes(self) -> list[str]:
        """Names of no emotion whose texts differ by the number in front, which does not count."""
        texts: dict[str, dict[str, str]] = defaultdict(dict)
        for text, (label, problem) in sorted(self._seen.items()):
            is_name = number_of(text) is None and label >= 0 and not problem
            if is_name and self.names[label] not in EMOTIONS:
                texts[self.names[label]].setdefault(number_in_front(text), text.strip())
        merged = {name: [*several.values()] for name, several in texts.items() if len(several) > 1}
        return [
            f"{' and '.join(several[:_NUM_SHOWN])} are one class, {name}, because a number in "
            "front does not count; if they are different classes, rename them"
            for name, several in merged.items()
        ]

    def _near_names(self) -> list[tuple[str, str]]:
        """Names that are no known class, and the emotion that each may be a misspelling of."""
        near = []
        for name in sorted(self.names):
            if not self.settings.is_known(name):
                match = difflib.get_close_matches(name, EMOTIONS, 1, _MIN_SIMILARITY)
                near += [(name, meant) for meant in match]
        return near

    def _read(self, text: str) -> tuple[int, str]:
        number = number_of(text)
        if number is None:
            return self._read_name(text)
        if number in self._numbers:
            return self._numbers[number], ""
        is_ours = self.scheme is not None and not (
            self.proven and self.scheme is SCHEMES[self.proven]
        )
        if not is_ours and (not self.proven or is_class_number(number)):
            self._foreign[number] = None
            return UNLABELLED, ""
        return UNLABELLED, self._problem(text)

    def _read_name(self, text: str) -> tuple[int, str]:
        name = class_name(text)
        problem = name_problem(name)
        # A table that proves a scheme contains its names, and no others.
        is_foreign = bool(self.proven) and not self.settings.is_known(name)
        if problem or is_foreign:
            remedy = "" if problem else ", or name all classes with data.classes"
            return UNLABELLED, self._problem(text) + remedy
        return self._position(name), ""

    def _problem(self, text: str) -> str:
        shown = repr(text[:_SHOWN_CHARACTERS])
        scheme = self.scheme
        if scheme is None:
            return f"expected the name of a class, got {shown}; correct it"
        first, last = min(scheme.names), max(scheme.names)
        what = "an emotion" if self.proven else f"a label of {scheme.title}"
        return f"expected {what} {first}..{last} ({scheme.described()}), got {shown}; correct it"

    def _position(self, name: str) -> int:
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)


def _agree(proven: LabelScheme, chosen: LabelScheme) -> bool:
    """Whether a scheme says the same of all numbers of another one."""
    return all(chosen.names.get(number) == name for number, name in proven.names.items())


def _few(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:_NUM_SHOWN]))
    return shown + (", ..." if len(numbers) > _NUM_SHOWN else "")
