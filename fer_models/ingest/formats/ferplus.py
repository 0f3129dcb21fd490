"""FER+ votes (`fer2013new.csv`, Barsoum et al. 2016), joined to their FER2013 table by row.

Columns: Usage, Image name, neutral ... NF; one row for each row of `fer2013.csv`, in its order.
"""

from dataclasses import dataclass, field

import numpy as np

from fer_models.dataset.snapshot import UNASSIGNED
from fer_models.ingest.files.detection import read_header
from fer_models.ingest.files.streams import SourceFile, report_reading
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.csv_rows import (
    BrokenTextError,
    TextRow,
    read_rows,
    record_bad_row,
    shown_name,
)
from fer_models.ingest.formats.fields import (
    SPLIT_TO_USAGE,
    VOTE_NAMES,
    RowIds,
    parse_usage,
    parse_votes,
    reason_of,
    usage_problem,
    votes_problem,
)
from fer_models.ingest.source_table import NO_VOTES, SourceTable
from fer_models.labels import VOTE_COLUMNS

_COLUMNS = ("usage", "image name", *(name.lower() for name in VOTE_NAMES))
_NUM_EXAMPLES = 3


@dataclass
class VoteTable:
    """One entry a row of the file: the split of its Usage, and the ten counts."""

    splits: list[str] = field(default_factory=list)
    votes: list[tuple[int, ...]] = field(default_factory=list)
    names: RowIds = field(default_factory=RowIds)


def read_votes(file: SourceFile, findings: Findings) -> VoteTable | None:
    """Read a FER+ file; None if it can't be used as a whole (the findings say why)."""
    with file.open() as stream:
        header = read_header(stream)
        columns = header.names
        if sorted(columns) != sorted(_COLUMNS):
            findings.add_fault(
                f"expected the FER+ columns Usage,Image name,{','.join(VOTE_NAMES)}, got "
                f"{','.join(shown_name(column) for column in columns[:15])}; "
                "use the file as published, or name the columns so"
            )
            return None
        order = [columns.index(name) for name in _COLUMNS]
        table = VoteTable()
        try:
            for row in read_rows(stream, header.separator):
                _take(row, order, table, findings)
            report_reading(stream, file.name)
        except BrokenTextError as error:
            findings.add_fault(str(error))
    return None if findings.faults else table


def join_votes(table: SourceTable, table_name: str, votes: VoteTable, findings: Findings) -> None:
    """Fill the table's vote columns by row, after checking that the two files match.

    Images whose votes can't be read are quarantined.
    """
    problem = _mismatch(table, table_name, votes)
    if problem:
        findings.add_fault(problem)
        return
    rows = table.fields["row"].to_numpy()
    counts = np.array(votes.votes, dtype=np.int8)[rows]
    table.fields[list(VOTE_COLUMNS)] = counts
    table.has_votes = True
    bad_rows = [bad.row for bad in findings.bad_rows]
    is_bad = table.fields["row"].isin(bad_rows) & (table.fields["reason"] == "")
    table.fields.loc[is_bad, "reason"] = reason_of(["votes"])


def _take(row: TextRow, order: list[int], table: VoteTable, findings: Findings) -> None:
    split, votes = UNASSIGNED, None
    if len(row.fields) != len(order):
        problems = [f"expected {len(order)} columns, got {len(row.fields)}; correct the row"]
    else:
        usage, name, *texts = [row.fields[position] for position in order]
        split, votes = parse_usage(usage), parse_votes(texts)
        problems = [] if votes else [votes_problem(texts)]
        problems += [] if split else [usage_problem(usage)]
        if name and (problem := table.names.problem(name, row.row)):  # not-a-face rows have none
            problems.append(problem)
    if problems:
        record_bad_row(row, problems, votes is None, True, findings)
    table.splits.append(split)
    table.votes.append(votes or NO_VOTES)


def _mismatch(table: SourceTable, table_name: str, votes: VoteTable) -> str:
    """Why votes and table don't match; "" if they do."""
    if table.has_votes:
        return f"{table_name} already has FER+ votes; name one vote file for each table"
    if not table.has_usage:
        return (
            f"{table_name} before it has no Usage, so its rows can't be matched; "
            "name fer2013.csv or icml_face_data.csv before it"
        )
    if table.num_rows != len(votes.splits):
        return (
            f"expected one row for each of the {table.num_rows} rows of {table_name}, got "
            f"{len(votes.splits)}; name the matching FER2013 table just before it"
        )
    wrong: list[str] = []
    pairs = zip(table.fields["row"], table.fields["split"], strict=True)
    for row, split in pairs:
        own = votes.splits[row]
        if split != own and UNASSIGNED not in (split, own):
            wrong.append(f"row {row}: {SPLIT_TO_USAGE[own]}, not {SPLIT_TO_USAGE[split]}")
    if not wrong:
        return ""
    return (
        f"Usage differs from {table_name} in {len(wrong)} of {len(table.fields)} rows "
        f"({'; '.join(wrong[:_NUM_EXAMPLES])}{'; ...' if len(wrong) > _NUM_EXAMPLES else ''}): "
        "rows were moved, or it belongs to another table; use both files as published"
    )
