"""FER2013's classes and FER+'s votes, in the order of their files."""

from enum import IntEnum


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
LABELLED_SOURCE = "review/labelled"
"""Source of the images that people have labelled in this store; no file can have this name."""

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
