"""What the words and numbers of FER2013's tables mean, and what to say when they mean nothing."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from fer_models.data.snapshot import UNASSIGNED
from fer_models.labels import CLASS_NAMES, NUM_CLASSES, UNLABELLED

USAGE_TO_SPLIT = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
SPLIT_TO_USAGE = {split: usage for usage, split in USAGE_TO_SPLIT.items()}

_LABELS = {str(number).encode(): number for number in range(NUM_CLASSES)}
_SPLITS = {usage.encode(): split for usage, split in USAGE_TO_SPLIT.items()}
_REASONS = {"id": "bad_id", "emotion": "bad_label", "usage": "bad_split", "votes": "bad_votes"}
_SHOWN_BYTES = 30


def parse_usage(text: bytes) -> str:
    """The split that a Usage means; `UNASSIGNED` when it means none."""
    return _SPLITS.get(text, UNASSIGNED)


@dataclass(frozen=True)
class Meaning:
    """Label and split of a row, and what is wrong with them, by column in lower case."""

    label: int
    split: str
    problems: Mapping[str, str]


def read_meaning(values: Mapping[str, bytes]) -> Meaning:
    """What the columns `emotion` and `usage` say, where they are there."""
    label, split, problems = UNLABELLED, UNASSIGNED, {}
    if "emotion" in values:
        label = _LABELS.get(values["emotion"], UNLABELLED)
        if label == UNLABELLED:
            problems["emotion"] = _label_problem(values["emotion"])
    if "usage" in values:
        split = parse_usage(values["usage"])
        if split == UNASSIGNED:
            problems["usage"] = usage_problem(values["usage"])
    return Meaning(label, split, problems)


def reason_of(problems: Collection[str]) -> str:
    """The quarantine reason of a row with problems in these columns; "" for none."""
    return next((_REASONS[column] for column in problems), "")


def usage_problem(value: bytes) -> str:
    """What to say of a value that is no Usage."""
    return f"expected Usage {' or '.join(USAGE_TO_SPLIT)}, got {_shown(value)}; correct it"


def _label_problem(value: bytes) -> str:
    names = ", ".join(f"{number} {name}" for number, name in enumerate(CLASS_NAMES))
    return f"expected an emotion 0..{NUM_CLASSES - 1} ({names}), got {_shown(value)}; correct it"


def _shown(value: bytes) -> str:
    return repr(value[:_SHOWN_BYTES].decode("utf-8", errors="replace"))
