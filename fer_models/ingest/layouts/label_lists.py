"""The lists of labels that RAF-DB and ExpW publish beside their images."""

import posixpath
from collections.abc import Sequence

from fer_models.classes.schemes import SCHEMES, number_of
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
from fer_models.labels import UNLABELLED

RAFDB_LISTS = ("list_patition_label.txt", "list_partition_label.txt")
"""As published, with its misspelling, and as others write it."""
EXPW_LIST = "label.lst"
_RAFDB_FIELDS, _EXPW_FIELDS = 2, 8
_NUM_SHOWN = 3
_Row = tuple[int, Sequence[str]]
"""The number of a line, and its words."""


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
    lines = content.decode("utf-8", errors="replace").splitlines()
    rows = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    fault = _fault(rows, is_expw=is_expw)
    if not fault and not is_expw and not settings.ignored:
        fault = _rafdb_fault(rows, settings)
    if fault:
        findings.add_fault(f"{name}: {fault}")
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
    own = None if not is_expw and _beyond_basic(rows) else SCHEMES["expw" if is_expw else "rafdb"]
    return Recognised(name, places, own, notes)


def _fault(rows: Sequence[_Row], *, is_expw: bool) -> str:
    """Why this is no such list; "" if it is one."""
    if not rows:
        return "the list is empty; copy it again"
    num_fields = _EXPW_FIELDS if is_expw else _RAFDB_FIELDS
    wrong = [number for number, row in rows if not _fits(row, num_fields)]
    if not wrong:
        return ""
    what = "an image, 6 numbers and its number" if is_expw else "an image and its number"
    return (
        f"expected {what} in every line, got another text in {len(wrong)} "
        f"(line {', '.join(map(str, wrong[:_NUM_SHOWN]))}); copy the list again, or set "
        f"data.table.path={NONE}"
    )


def _beyond_basic(rows: Sequence[_Row]) -> dict[int, int]:
    """The numbers that are none of RAF-DB's basic expressions, and the first line of each.

    Its list of compound expressions has the same name, and other meanings of 1..7.
    """
    known = {UNLABELLED, *SCHEMES["rafdb"].names}
    lines: dict[int, int] = {}
    for line, (_, text) in rows:
        number = number_of(text)
        if number is not None and number not in known:
            lines.setdefault(number, line)
    return lines


def _rafdb_fault(rows: Sequence[_Row], settings: LabelSettings) -> str:
    """Why the numbers can't be read; "" for basic ones, or where the user has named them all."""
    beyond = dict(sorted(_beyond_basic(rows).items()))
    if all(isinstance(settings.scheme, tuple) and 0 <= n < len(settings.scheme) for n in beyond):
        return ""
    shown = [f"{number} (line {line})" for number, line in beyond.items()][:_NUM_SHOWN]
    return (
        f"label {', '.join(shown)} occurs: this is none of RAF-DB's basic expressions "
        f"({SCHEMES['rafdb'].described()}); correct the list, or, if it is that of the compound "
        "expressions, give the names of its numbers, number 0 first: "
        "--set data.label_scheme=[unused,first,second,...]"
    )


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


def _rafdb(rows: Sequence[_Row], name: str, by_name: dict[str, list[str]]) -> list[Place]:
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
    rows: Sequence[_Row],
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
