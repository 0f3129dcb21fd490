"""Class orders: the only place that maps numbers to expressions."""

from enum import IntEnum

from fer_models.errors import DataError


class Expression(IntEnum):
    """FER2013's seven classes, in the order of its `emotion` column."""

    ANGRY = 0
    DISGUST = 1
    FEAR = 2
    HAPPY = 3
    SAD = 4
    SURPRISE = 5
    NEUTRAL = 6


class FerPlusVote(IntEnum):
    """The ten vote columns of FER+ (Barsoum et al. 2016, `fer2013new.csv`), in file order."""

    NEUTRAL = 0
    HAPPINESS = 1
    SURPRISE = 2
    SADNESS = 3
    ANGER = 4
    DISGUST = 5
    FEAR = 6
    CONTEMPT = 7
    UNKNOWN = 8
    NF = 9


CLASS_NAMES: tuple[str, ...] = tuple(e.name.lower() for e in Expression)
NUM_CLASSES = len(Expression)
VOTE_COLUMNS: tuple[str, ...] = tuple(f"votes_{v.name.lower()}" for v in FerPlusVote)
UNLABELLED = -1

# FER+ vote -> FER2013 class; contempt, unknown and NF (not a face) have no counterpart.
VOTE_TO_EXPRESSION: dict[FerPlusVote, Expression] = {
    FerPlusVote.NEUTRAL: Expression.NEUTRAL,
    FerPlusVote.HAPPINESS: Expression.HAPPY,
    FerPlusVote.SURPRISE: Expression.SURPRISE,
    FerPlusVote.SADNESS: Expression.SAD,
    FerPlusVote.ANGER: Expression.ANGRY,
    FerPlusVote.DISGUST: Expression.DISGUST,
    FerPlusVote.FEAR: Expression.FEAR,
}

_SYNONYMS: dict[str, Expression] = {
    "anger": Expression.ANGRY,
    "disgusted": Expression.DISGUST,
    "fearful": Expression.FEAR,
    "afraid": Expression.FEAR,
    "happiness": Expression.HAPPY,
    "sadness": Expression.SAD,
    "surprised": Expression.SURPRISE,
}


def parse_expression(text: str) -> Expression:
    """The class of a folder name or label: `happy`, `Happiness` or `3`.

    Raises:
        DataError: the class is unknown; the message lists the known ones.
    """
    label = text.strip().lower()
    if label in _SYNONYMS:
        return _SYNONYMS[label]
    if label in CLASS_NAMES:
        return Expression[label.upper()]
    if label.isdecimal() and int(label) < NUM_CLASSES:
        return Expression(int(label))
    raise DataError(
        f"expected one of {', '.join(CLASS_NAMES)} or 0..{NUM_CLASSES - 1}, got {text!r}"
    )
