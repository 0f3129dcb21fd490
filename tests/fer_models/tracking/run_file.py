"""Read the records of an offline run: the LevelDB log format, and wandb's protocol buffers."""

import struct
import time
from pathlib import Path
from typing import Any

_BLOCK_BYTES = 32768
_FILE_HEADER_BYTES = 7
_HEADER = struct.Struct("<IHB")
_MAX_READS, _PAUSE_S = 300, 0.1
_FULL, _FIRST, _LAST = 1, 2, 4


def run_records(folder: Path) -> list[Any]:
    """All records of the only run below a folder, in order.

    wandb's process writes the last ones just after the run has finished.
    """
    [file] = folder.rglob("run-*.wandb")
    for _ in range(_MAX_READS):
        records = [_record(data) for data in _entries(file.read_bytes())]
        if any(record.WhichOneof("record_type") == "exit" for record in records):
            return records
        time.sleep(_PAUSE_S)
    raise AssertionError(f"{file}: the run did not end")


def logged_artifacts(folder: Path) -> dict[str, Any]:
    """The artifact records of the only run below a folder, by name; no name occurs twice."""
    found = [r.artifact for r in run_records(folder) if r.WhichOneof("record_type") == "artifact"]
    by_name = {artifact.name: artifact for artifact in found}
    assert len(by_name) == len(found)
    return by_name


def entries_of(artifact: Any) -> dict[str, Any]:
    """The entries of an artifact's manifest by their path."""
    return {entry.path: entry for entry in artifact.manifest.contents}


def _record(data: bytes) -> Any:
    from wandb.proto import wandb_internal_pb2

    record = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
    record.ParseFromString(data)
    return record


def _entries(data: bytes) -> list[bytes]:
    found, parts, position = [], b"", _FILE_HEADER_BYTES
    while position + _HEADER.size <= len(data):
        left = _BLOCK_BYTES - position % _BLOCK_BYTES
        if left < _HEADER.size:
            position += left
            continue
        _, size, kind = _HEADER.unpack_from(data, position)
        position += _HEADER.size
        parts = (b"" if kind in (_FULL, _FIRST) else parts) + data[position : position + size]
        position += size
        if kind in (_FULL, _LAST):
            found.append(parts)
    return found
