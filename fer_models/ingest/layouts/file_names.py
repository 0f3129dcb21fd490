"""JAFFE and KDEF: the file name says the expression. Only if every image fits the pattern.

JAFFE: `KA.AN1.39.tiff` (person, expression and its number, number of the image). KDEF:
`AF01AFS.JPG` (session, sex, person, expression, angle: S straight, HL, HR half, FL, FR full left or
right). KDEF as it is published contains two images whose names are cut off, `AF31V.JPG` and
`AM31H.JPG`.
"""

import posixpath
import re

from fer_models.classes.names import emotion_of
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.labels import LabelSettings
from fer_models.ingest.layouts.places import Files, Place, Recognised, split_of_folders

_COMMON = {"AN": "angry", "DI": "disgust", "HA": "happy", "NE": "neutral"}
_COMMON |= {"SA": "sad", "SU": "surprise"}
_CUT_OFF = re.compile(r"[AB][FM]\d{2}[A-Z]\.\w+", re.IGNORECASE)
_BETWEEN_WORDS = re.compile(r"[\W\d_]+")
_NUM_SHOWN = 3
_PATTERNS = {
    "JAFFE": (
        re.compile(r"[A-Z]{2}\.(AN|DI|FE|HA|NE|SA|SU)\d\.\d{1,3}\.\w+"),
        {**_COMMON, "FE": "fear"},
    ),
    "KDEF": (
        re.compile(r"[AB][FM]\d{2}(AF|AN|DI|HA|NE|SA|SU)(S|HL|HR|FL|FR)\d*\.\w+", re.IGNORECASE),
        {**_COMMON, "AF": "fear"},
    ),
}


def emotion_in_name(path: str) -> str:
    """The only basic emotion among the words of a file's name; "" for none or several.

    Example:
        emotion_in_name("S005/S005_happy_3.png")  # "happy"
    """
    stem = posixpath.splitext(posixpath.basename(path))[0]
    emotions = {emotion_of(word) for word in _BETWEEN_WORDS.split(stem)} - {""}
    return emotions.pop() if len(emotions) == 1 else ""


def recognise_file_names(
    files: Files,
    settings: LabelSettings,  # noqa: ARG001 - the interface of all layouts
    findings: Findings,  # noqa: ARG001
) -> Recognised | None:
    """JAFFE or KDEF, by the names of all images; images with cut names are left out and noted."""
    names = {path: posixpath.basename(path) for path in files.images}
    cut_off = [path for path, name in names.items() if _CUT_OFF.fullmatch(name)]
    whole = {path: name for path, name in names.items() if not _CUT_OFF.fullmatch(name)}
    for title, (pattern, meaning) in _PATTERNS.items():
        if not whole or not all(pattern.fullmatch(name) for name in whole.values()):
            continue
        places = [
            Place(path, split_of_folders(path), meaning[pattern.sub(r"\1", name).upper()])
            for path, name in whole.items()
        ]
        notes = [f"labels by {title}'s names"]
        if cut_off:
            shown = ", ".join(cut_off[:_NUM_SHOWN])
            notes.append(f"{len(cut_off):,} images are not read: their names are cut off ({shown})")
        return Recognised(f"{title}'s file names", places, notes=notes)
    return None
