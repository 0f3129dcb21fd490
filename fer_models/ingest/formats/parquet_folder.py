"""A folder of parquet files that are one table, as Hugging Face's hub stores a data set."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fer_models.dataset.snapshot import UNASSIGNED
from fer_models.ingest.files.folder import is_shard, list_files
from fer_models.ingest.files.streams import SourceFile
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.fields import split_of
from fer_models.ingest.formats.labels import DEFAULT_LABELS, LabelSettings
from fer_models.ingest.formats.parquet import read_parquet_table
from fer_models.ingest.image_buffer import joined
from fer_models.ingest.source_table import SourceTable

_NUMBERED = re.compile(r"(?P<start>.*)-(?P<number>\d{5})-of-(?P<total>\d{5})\.parquet$")
_WORDS = re.compile(r"[._-]")
_NUM_SHOWN = 3


def shards_of(folder: Path, findings: Findings) -> list[str]:
    """The parquet files of a folder, as sorted relative paths."""
    return [name for name in list_files(folder, findings) if is_shard(name)]


def read_parquet_folder(
    file: SourceFile, findings: Findings, settings: LabelSettings = DEFAULT_LABELS
) -> SourceTable | None:
    """Read all parquet files of a folder, one after the other, as one table.

    Rows are numbered through all files. Without a column of splits, the split is that which the
    path of a file names (`data/test-00000-of-00001.parquet`, `default/test/0000.parquet`): the file
    name, else the nearest folder that names one.

    Args:
        file: the folder.
        findings: receives all problems, with the file's path.
        settings: what the user says of the labels.

    Returns:
        The usable images, or None if a file as a whole can't be used.
    """
    shards = shards_of(file.path, findings)
    for fault in [*_missing(shards), *_differing(file.path, shards)]:
        findings.add_fault(fault)
    if findings.faults:
        return None
    tables, num_rows = [], 0
    for shard in shards:
        own = Findings(findings.source)
        table = read_parquet_table(SourceFile(file.path / shard), own, settings)
        _add_findings(findings, own, shard, num_rows)
        if table is not None:
            tables.append(_placed(table, shard, num_rows))
            num_rows += table.num_rows
    return None if findings.faults else _concatenated(tables, num_rows, settings)


def _missing(shards: Sequence[str]) -> list[str]:
    """Files of a numbered series that are not there."""
    series: dict[tuple[str, int], set[int]] = defaultdict(set)
    for shard in shards:
        if found := _NUMBERED.match(shard):
            series[found["start"], int(found["total"])].add(int(found["number"]))
    faults = []
    for (start, total), numbers in sorted(series.items()):
        if missing := sorted(set(range(total)) - numbers):
            names = [f"{start}-{number:05d}-of-{total:05d}.parquet" for number in missing]
            more = f" and {len(names) - _NUM_SHOWN} more" if len(names) > _NUM_SHOWN else ""
            faults.append(
                f"{len(missing)} of {total} files are missing: {', '.join(names[:_NUM_SHOWN])}"
                f"{more}; download them, or name one of the files as the source"
            )
    return faults


def _differing(folder: Path, shards: Sequence[str]) -> list[str]:
    """Files with other columns than the first one; one that can't be read is reported later."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[str]] = {}
    for shard in shards:
        try:
            columns[shard] = sorted(pq.read_schema(folder / shard).names)
        except (pa.ArrowException, OSError, ValueError):
            continue
    if not columns:
        return []
    first, expected = next(iter(columns.items()))
    return [
        f"{shard}: expected the columns of {first} ({','.join(expected)}), got "
        f"{','.join(names)}; name each of the files as a source of its own"
        for shard, names in columns.items()
        if names != expected
    ]


def _add_findings(findings: Findings, own: Findings, shard: str, start: int) -> None:
    for fault in own.faults:
        findings.add_fault(f"{shard}: {fault}")
    for note in own.notes:
        if note not in findings.notes:
            findings.add_note(note)
    for bad in own.bad_rows:
        where = f"{shard} {bad.location}"
        findings.add_bad_row(start + bad.row, where, [bad.problem], shard, bad.has_image)


def _placed(table: SourceTable, shard: str, start: int) -> SourceTable:
    """The table of one file with its place among all."""
    table.fields["row"] += start
    table.fields["path"] = shard
    if not table.has_usage:
        table.fields["split"] = _split_of_path(shard)
    return table


def _split_of_path(shard: str) -> str:
    """The split that the file name, else the nearest folder names; `UNASSIGNED` for several."""
    for part in reversed(shard.split("/")):
        splits = {split_of(word) for word in _WORDS.split(part)} - {UNASSIGNED}
        if splits:
            return splits.pop() if len(splits) == 1 else UNASSIGNED
    return UNASSIGNED


def _concatenated(
    tables: Sequence[SourceTable], num_rows: int, settings: LabelSettings
) -> SourceTable:
    """All tables as one, whose label names are those of all."""
    names = list(dict.fromkeys(name for table in tables for name in table.label_names))
    for table in tables:
        # Negative labels (UNLABELLED, LEFT_OUT) stay.
        labels = table.fields["label"].to_numpy(dtype=np.int64)
        new = np.array([names.index(name) for name in table.label_names] or [0])
        table.fields["label"] = np.where(labels < 0, labels, new[labels.clip(0)])
    facts = [table.label_facts for table in tables]
    return SourceTable(
        pd.concat([table.fields for table in tables], ignore_index=True),
        joined([table.images for table in tables], settings.image_format),
        num_rows,
        has_usage=tables[0].has_usage,
        has_votes=tables[0].has_votes,
        label_names=tuple(names),
        label_facts={
            "scheme": next((one["scheme"] for one in facts if one["scheme"]), ""),
            "labels": {text: name for one in facts for text, name in one["labels"].items()},
        },
    )
