"""FER+ as its generator writes it: `FER2013Train/fer0000000.png` and `label.csv` beside them.

A row of `label.csv` has the name of an image, its box, and the ten votes of FER+ (Barsoum et al.
2016); there is no header line.
"""

import posixpath
import re
from collections import Counter
from collections.abc import Sequence

from fer_models.classes.schemes import SCHEMES
from fer_models.ingest.files.image_pixels import Box
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.fields import VOTE_NAMES, parse_votes, split_of, votes_problem
from fer_models.ingest.formats.labels import LabelSettings
from fer_models.ingest.layouts.places import (
    NO_IMAGE,
    REPEATED,
    Files,
    Place,
    Recognised,
    folder_of,
    unlisted_note,
)
from fer_models.ingest.layouts.table_rows import TableError, TableRows, names_image, read_table
from fer_models.ingest.source_table import NO_VOTES
from fer_models.labels import FerPlusVote

LIST = "label.csv"
_NUM_COLUMNS = 2 + len(VOTE_NAMES)
_BOX = re.compile(r"\(?\s*(-?\d+)\s*,\s*(-?\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)?")
_WHOLE_BOX = (0, 0, 48, 48)
_TIE = "a tie"


def vote_lists_in(names: Sequence[str]) -> list[str]:
    """The files that may be FER+'s lists among some files: `label.csv` in a folder of a split."""
    return [
        name
        for name in names
        if name.rpartition("/")[2].lower() == LIST
        and split_of(posixpath.basename(posixpath.dirname(name)))
    ]


def recognise_ferplus(
    files: Files,
    settings: LabelSettings,  # noqa: ARG001 - the interface of all layouts
    findings: Findings,
) -> Recognised | None:
    """FER+'s images, by their lists of votes."""
    contents = files.read(vote_lists_in(files.others))
    lists: dict[str, TableRows] = {}
    for name, content in sorted(contents.items()):
        try:
            table = read_table(content, ",")
        except TableError as error:
            findings.add_fault(f"{name}: {error}")
            return None
        if len(table.columns) == _NUM_COLUMNS and not table.has_header:
            lists[name] = table
    if not lists:
        return None
    unlabelled: Counter[str] = Counter()
    known = set(files.names)
    places = [
        place for name, table in lists.items() for place in _places(name, table, known, unlabelled)
    ]
    if any(table.ragged for table in lists.values()):
        findings.add_fault("label.csv: rows with another number of columns; copy the list again")
        return None
    notes = [f"{count:,} images are unlabelled: {why}" for why, count in sorted(unlabelled.items())]
    listed = {place.path for place in places}
    notes += unlisted_note(sum(image not in listed for image in files.images), LIST)
    return Recognised("FER+", places, SCHEMES["ferplus"], notes)


def _places(name: str, table: TableRows, known: set[str], unlabelled: Counter[str]) -> list[Place]:
    folder = folder_of(name)
    split = split_of(posixpath.basename(folder.rstrip("/")))
    places, seen = [], set()
    for where, (image, box, *counts) in zip(table.where, table.rows, strict=True):
        if not names_image(image):
            unlabelled["a row without the name of an image"] += 1
            continue
        path = folder + image
        missing = REPEATED if path in seen else "" if path in known else NO_IMAGE
        seen.add(path)
        texts = [count.encode() for count in counts]
        votes = parse_votes(texts)
        label, why = _majority(votes) if votes else (None, "")
        if why and not missing:
            unlabelled[f"the majority of votes is {why}"] += 1
        problems = {} if votes else {"votes": votes_problem(texts)}
        places.append(
            Place(
                path, split, label, _parsed(box), votes or NO_VOTES, f"{name} {where}", missing,
                problems,
            )
        )  # fmt: skip
    return places


def _majority(votes: Sequence[int]) -> tuple[str | None, str]:
    """The number with most votes as a label, else why there is none."""
    most = max(votes)
    if votes.count(most) > 1:
        return None, _TIE
    winner = FerPlusVote(votes.index(most))
    if winner is FerPlusVote.UNKNOWN:
        return None, "unknown"
    if winner is FerPlusVote.NF:
        return None, "not a face"
    return str(int(winner)), ""


def _parsed(text: str) -> Box | None:
    match = _BOX.fullmatch(text.strip())
    if match is None:
        return None
    left, top, right, bottom = map(int, match.groups())
    box = (left, top, right, bottom)
    return None if box == _WHOLE_BOX else box
