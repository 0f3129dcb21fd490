"""JAFFE and KDEF: the file name says the expression. Only if every image fits the pattern.

JAFFE: `KA.AN1.39.tiff` (person, expression and its number, number of the image). KDEF:
`AF01AFS.JPG` (session, sex, person, expression, angle: S straight, HL, HR half, FL, FR full left or
right).
"""

import posixpath
import re

from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.labels import LabelSettings
from fer_models.ingest.layouts.places import Files, Place, Recognised, split_of_folders

_COMMON = {"AN": "angry", "DI": "disgust", "HA": "happy", "NE": "neutral"}
_COMMON |= {"SA": "sad", "SU": "surprise"}
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


def recognise_file_names(
    files: Files,
    settings: LabelSettings,  # noqa: ARG001 - the interface of all layouts
    findings: Findings,  # noqa: ARG001
) -> Recognised | None:
    """JAFFE or KDEF, by the names of all images."""
    images = files.images
    for title, (pattern, meaning) in _PATTERNS.items():
        if images and all(pattern.fullmatch(posixpath.basename(path)) for path in images):
            codes = [pattern.sub(r"\1", posixpath.basename(path)).upper() for path in images]
            places = [
                Place(path, split_of_folders(path), meaning[code])
                for path, code in zip(images, codes, strict=True)
            ]
            return Recognised(f"{title}'s file names", places, notes=[f"labels by {title}'s names"])
    return None
