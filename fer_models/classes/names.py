"""Names of expressions as people write them, and the one name that each of them gets here."""

import re
import unicodedata

CONTEMPT = "contempt"
EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", CONTEMPT)
"""The eight basic emotions in FER2013's order and wording, then contempt."""

# Nouns, adjectives, and misspellings seen in published data sets.
_OTHER_NAMES = {
    "angry": "anger angery",
    "disgust": "disgusted disgusting disguist digust disgused",
    "fear": "fearful fearfull afraid scared frightened feared",
    "happy": "happiness hapiness happines hapy happyness joy joyful",
    "sad": "sadness sadnes saddness",
    "surprise": "surprised suprise suprised surprize surprized surprice",
    "neutral": "neutrality netural nuetral neutrl",
    CONTEMPT: "contemptuous contemp contemt",
}
_EMOTION_OF = {
    name: emotion for emotion, others in _OTHER_NAMES.items() for name in (emotion, *others.split())
}
_NUMBER_IN_FRONT = re.compile(r"^(?P<number>\d+)\s*[-_. ]+\s*(?=[^\W\d])")
_SEPARATORS = re.compile(r"[\s_]+")
_MAX_NAME_CHARACTERS = 60


def emotion_of(text: str) -> str:
    """The basic emotion that a text names; "" if it names none.

    Example:
        emotion_of("Happiness")  # "happy"
        emotion_of("suprise")  # "surprise"
    """
    return _EMOTION_OF.get(text.strip().casefold(), "")


def class_name(text: str) -> str:
    """The class that a label or folder name means: a basic emotion, else the text, tidied.

    Case, surrounding blanks and a leading number (`0_angry`, `6 Anger`) do not count; blanks
    and underscores are the same. The number in front decides nothing.

    Example:
        class_name("6 Anger")  # "angry"
        class_name("Very_Bored ")  # "very bored"
    """
    text = _SEPARATORS.sub(" ", _NUMBER_IN_FRONT.sub("", _folded(text))).strip()
    return _EMOTION_OF.get(text, text)


def number_in_front(text: str) -> str:
    """The number that `class_name` leaves out; "" for none.

    Example:
        number_in_front("06_bored")  # "06"
    """
    found = _NUMBER_IN_FRONT.match(_folded(text))
    return found["number"] if found else ""


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip().casefold()


def name_problem(name: str) -> str:
    """Why a text can't be the name of a class; "" if it can."""
    if not name or name in ("nan", "none", "null", "n/a", "-"):
        return "is empty"
    if len(name) > _MAX_NAME_CHARACTERS:
        return f"has more than {_MAX_NAME_CHARACTERS} characters"
    if not name.isprintable():
        return "contains control characters"
    if not any(character.isalpha() for character in name):
        return "contains no letter"
    if name[0] in "=@+|<>" or any(character in name for character in "/\\<>\"'`{}|"):
        return "contains punctuation that no name has"
    return ""


def class_order(name: str) -> tuple[int, str]:
    """Sorting key: the basic emotions in FER2013's order, contempt, then others by name."""
    known = EMOTIONS.index(name) if name in EMOTIONS else len(EMOTIONS)
    return known, name
