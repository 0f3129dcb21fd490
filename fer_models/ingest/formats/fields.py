"""Fields of FER2013's tables (labels, splits, FER+ votes, row ids) and their error messages."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from fer_models.dataset.snapshot import NO_VOTE, UNASSIGNED
from fer_models.ingest.formats.labels import LabelReader
from fer_models.labels import UNLABELLED, FerPlusVote

USAGE_TO_SPLIT = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
SPLIT_TO_USAGE = {split: usage for usage, split in USAGE_TO_SPLIT.items()}

_SPLIT_NAMES = {
    "train": "train training trainset trainingset traindata fer2013train",
    "validation": "validation valid val dev validset validationset valset devset publictest "
    "fer2013valid",
    "test": "test testing testset testingset testdata privatetest fer2013test",
}
_SPLIT_OF = {name: split for split, names in _SPLIT_NAMES.items() for name in names.split()}
_BETWEEN_WORDS = re.compile(r"[\s_-]+")
_WORD_ENDS = re.compile(r"[\s._-]+")
_REASONS = {"id": "bad_id", "emotion": "bad_label", "usage": "bad_split", "votes": "bad_votes"}
_SHOWN_BYTES = 30
NUM_TAGGERS = 10
VOTE_NAMES = tuple("NF" if vote is FerPlusVote.NF else vote.name.lower() for vote in FerPlusVote)
_SHOWN_CHARACTERS = 60

_COUNTS = {str(count).encode(): count for count in range(NUM_TAGGERS + 1)}


@lru_cache(maxsize=4096)
def split_of(text: str) -> str:
    """The split that a folder name or a value means (`PublicTest`, `val`); else `UNASSIGNED`.

    Example:
        split_of("train_set")  # "train"
    """
    return _SPLIT_OF.get(_BETWEEN_WORDS.sub("", text.casefold()), UNASSIGNED)


def split_of_name(name: str) -> str:
    """The only split among the words of a file's or folder's name; else `UNASSIGNED`.

    Example:
        split_of_name("train_labels")  # "train"
    """
    splits = {split_of(word) for word in _WORD_ENDS.split(name)} - {UNASSIGNED}
    return splits.pop() if len(splits) == 1 else UNASSIGNED


def parse_usage(text: bytes) -> str:
    """The split of a Usage value; `UNASSIGNED` for any other text."""
    return split_of(text.decode("utf-8", errors="replace"))


@dataclass(frozen=True)
class ParsedFields:
    """Label and split of a row, and their problems by column name in lower case."""

    label: int
    """A position in the names of the label reader, UNLABELLED or LEFT_OUT."""
    split: str
    problems: Mapping[str, str]


def parse_fields(values: Mapping[str, bytes], labels: LabelReader) -> ParsedFields:
    """Parse the columns `emotion` and `usage`, where the table has them."""
    label, split, problems = UNLABELLED, UNASSIGNED, {}
    if "emotion" in values:
        label, problem = labels.read(values["emotion"].decode("utf-8", errors="replace"))
        if problem:
            problems["emotion"] = problem
    if "usage" in values:
        split = parse_usage(values["usage"])
        if split == UNASSIGNED:
            problems["usage"] = usage_problem(values["usage"])
    return ParsedFields(label, split, problems)


def reason_of(problems: Collection[str]) -> str:
    """The quarantine reason of a row with problems in these columns (the first); "" for none."""
    return next((_REASONS[column] for column in problems), "")


def usage_problem(value: bytes) -> str:
    """The message for an invalid Usage value."""
    return (
        f"expected Usage {' or '.join(USAGE_TO_SPLIT)}, got {_shown(value)}; correct it, or ignore "
        "the column with data.table.split=none"
    )


def _shown(value: bytes) -> str:
    return repr(value[:_SHOWN_BYTES].decode("utf-8", errors="replace"))


def parse_votes(texts: Sequence[bytes]) -> tuple[int, ...] | None:
    """The ten counts, or None if any is not a whole number 0..10."""
    counts = tuple(_COUNTS.get(text, NO_VOTE) for text in texts)
    return None if NO_VOTE in counts else counts


def votes_problem(texts: Sequence[bytes]) -> str:
    """The message for invalid counts."""
    shown = b",".join(texts)[:_SHOWN_CHARACTERS].decode("utf-8", errors="replace")
    return f"expected {len(VOTE_NAMES)} FER+ votes 0..{NUM_TAGGERS}, got {shown!r}; correct them"


@dataclass
class RowIds:
    """The ids seen so far, and their first rows."""

    _row_of: dict[bytes, int] = field(default_factory=dict)

    def problem(self, row_id: bytes, row: int) -> str:
        """Why the id of a row is invalid: missing, or used before; "" if it is valid."""
        if not row_id or row_id in (b"None", b"nan"):
            return "expected a row id, got none; complete it or remove the column"
        first = self._row_of.setdefault(row_id, row)
        if first == row:
            return ""
        shown = row_id[:_SHOWN_BYTES].decode("utf-8", errors="replace")
        return f"row id {shown!r} is also the id of row {first}; remove one of the two rows"
