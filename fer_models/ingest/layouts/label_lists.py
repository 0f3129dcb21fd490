"""The lists of labels that RAF-DB and ExpW publish beside their images."""

import posixpath
from collections.abc import Sequence

from fer_models.classes.schemes import SCHEMES
from fer_models.dataset.snapshot import UNASSIGNED
from fer_models.ingest.config import NONE
from fer_models.ingest.files.image_pixels import Box
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.fields import split_of
from fer_models.ingest.formats.labels import LabelSettings
from fer_models.ingest.layouts.places import (
    NO_IMAGE,
    Files,
    Place,
    Recognised,
    unlisted_note,
    without_repetitions,
)

RAFDB_LISTS = ("list_patition_label.txt", "list_partition_label.txt")
"""As published, with its misspelling, and as others write it."""
EXPW_LIST = "label.lst"
_RAFDB_FIELDS, _EXPW_FIELDS = 2, 8
_NUM_SHOWN = 3


def label_list_in(names: Sequence[str]) -> str:
    """The list of labels among some files; "" if there is none."""
    lists = [n for n in names if n.rpartition("/")[2].lower() in (*RAFDB_LISTS, EXPW_LIST)]
    return lists[0] if lists else ""


def recognise_label_list(
    files: Files, settings: LabelSettings, findings: Findings
) -> Recognised | None:
    """RAF-DB or ExpW, by the name of its list."""
    name = label_list_in(files.others)
    if not name:
        return None
    content = files.read([name])[name]
    return read_label_list(files, settings, findings, name, content)


def read_label_list(
    files: Files, settings: LabelSettings, findings: Findings, name: str, content: bytes
) -> Recognised | None:
    """The images of a list of labels.

    RAF-DB: `train_00001.jpg 5`, where the image is `train_00001_aligned.jpg` or the file itself.
    ExpW: `name.jpg face_id top left right bottom confidence label`.
    """
    is_expw = posixpath.basename(name).lower() == EXPW_LIST
    num_fields = _EXPW_FIELDS if is_expw else _RAFDB_FIELDS
    lines = content.decode("utf-8", errors="replace").splitlines()
    rows = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    wrong = [number for number, row in rows if not _fits(row, num_fields)]
    if wrong or not rows:
        shown = ", ".join(map(str, wrong[:_NUM_SHOWN]))
        what = "an image and its number" if not is_expw else "an image, 6 numbers and its number"
        findings.add_fault(
            f"{name}: expected {what} in every line, got another text in {len(wrong)} "
            f"(line {shown}); copy the list again, or set data.table.path={NONE}"
            if wrong
            else f"{name}: the list is empty; copy it again"
        )
        return None
    by_name = _images_by_name(files)
    places = _expw(rows, name, by_name, settings) if is_expw else _rafdb(rows, name, by_name)
    places = without_repetitions(places)
    ambiguous = sorted({place.path for place in places if len(by_name.get(place.path, "")) > 1})
    if ambiguous:
        findings.add_fault(
            f"{name}: {ambiguous[0]} fits {' and '.join(by_name[ambiguous[0]][:2])}; name the "
            "folder with one of them"
        )
        return None
    listed = {place.path for place in places}
    notes = unlisted_note(sum(image not in listed for image in files.images), name)
    return Recognised(name, places, SCHEMES["expw" if is_expw else "rafdb"], notes)


def _fits(row: Sequence[str], num_fields: int) -> bool:
    return len(row) == num_fields and all(_is_number(text) for text in row[1:])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _images_by_name(files: Files) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in files.images:
        found.setdefault(posixpath.basename(path), []).append(path)
    return found


def _rafdb(
    rows: Sequence[tuple[int, Sequence[str]]], name: str, by_name: dict[str, list[str]]
) -> list[Place]:
    places = []
    is_aligned = any("_aligned." in image for image in by_name)
    for number, (listed, label) in rows:
        stem, suffix = posixpath.splitext(listed)
        image = f"{stem}_aligned{suffix}" if is_aligned else listed
        split = split_of(posixpath.basename(stem).partition("_")[0])
        where = f"{name} line {number}"
        places.append(_place(image, split, label, None, where, by_name))
    return places


def _expw(
    rows: Sequence[tuple[int, Sequence[str]]],
    name: str,
    by_name: dict[str, list[str]],
    settings: LabelSettings,
) -> list[Place]:
    places = []
    for number, (image, _, *numbers, _, label) in rows:
        top, left, right, bottom = (round(float(text)) for text in numbers)
        box = (left, top, right, bottom) if settings.table.crop else None
        places.append(_place(image, UNASSIGNED, label, box, f"{name} line {number}", by_name))
    return places


def _place(
    image: str,
    split: str,
    label: str,
    box: Box | None,
    where: str,
    by_name: dict[str, list[str]],
) -> Place:
    paths = by_name.get(posixpath.basename(image), [])
    path = paths[0] if len(paths) == 1 else image
    missing = "" if paths else NO_IMAGE
    return Place(path, split, label, box, where=where, missing=missing)
