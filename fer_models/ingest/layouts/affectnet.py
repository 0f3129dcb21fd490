"""AffectNet with one file of annotations an image: `images/1.jpg`, `annotations/1_exp.npy`."""

import posixpath
import re
from collections.abc import Sequence

import numpy as np

from fer_models.classes.schemes import SCHEMES
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.labels import LabelSettings
from fer_models.ingest.layouts.places import (
    Files,
    Place,
    Recognised,
    split_of_folders,
)

ANNOTATION = "_exp.npy"
_HEADER = re.compile(
    rb"\x93NUMPY[\x01-\x03]\x00.{2,4}?\{'descr': *'([<>|=])([iufSU])(\d{1,3})', "
    rb"*'fortran_order': *\w+, *'shape': *\((?:1,)?\),? *\} *\n",
    re.DOTALL,
)
_NO_ANNOTATION = f"no annotations/*{ANNOTATION}; add it, or remove the image"
_NO_IMAGE = "an annotation without its image; add the image, or remove the annotation"


def annotations_in(names: Sequence[str]) -> list[str]:
    """The files of expressions among some files."""
    return [name for name in names if name.endswith(ANNOTATION)]


def recognise_affectnet(
    files: Files,
    settings: LabelSettings,  # noqa: ARG001 - the interface of all layouts
    findings: Findings,
) -> Recognised | None:
    """AffectNet, by its files of expressions."""
    annotations = annotations_in(files.others)
    if not annotations:
        return None
    contents = files.read(annotations)
    labels: dict[str, str] = {}
    for name in annotations:
        label = npy_label(contents[name])
        if not label:
            findings.add_fault(
                f"{name}: expected one number (npy), got another file; copy it again"
            )
        labels[_key(name.removesuffix(ANNOTATION))] = label
    if findings.faults:
        return None
    places = []
    images = {_key(posixpath.splitext(path)[0]): path for path in files.images}
    for key, path in images.items():
        missing = "" if key in labels else _NO_ANNOTATION
        places.append(Place(path, split_of_folders(path), labels.get(key), missing=missing))
    places += [
        Place(f"{key}{ANNOTATION}", missing=_NO_IMAGE) for key in labels if key not in images
    ]
    return Recognised("AffectNet", places, SCHEMES["affectnet"])


def _key(path: str) -> str:
    """What an image and its annotation have in common: the folder above theirs, and the stem."""
    folder, name = posixpath.split(path)
    return posixpath.join(posixpath.dirname(folder), name)


def npy_label(content: bytes) -> str:
    """The only value of a NumPy file, a number or a text; "" for any other file.

    Own code, because NumPy's reader fails on damaged files in ways that can't be foreseen.
    """
    header = _HEADER.match(content)
    if header is None:
        return ""
    order, kind, size = (group.decode() for group in header.groups())
    value = content[header.end() :]
    try:
        if kind == "U":
            codec = "utf-32-be" if order == ">" else "utf-32-le"
            return value.decode(codec).strip("\0 ") if len(value) == 4 * int(size) else ""
        if kind == "S":
            return value.decode("ascii").strip("\0 ") if len(value) == int(size) else ""
        numbers = np.frombuffer(value, dtype=f"{order}{kind}{size}")
    except (ValueError, TypeError):
        return ""
    return str(numbers[0]) if len(numbers) == 1 else ""
