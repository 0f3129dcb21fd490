"""Which objects a mirror holds: a journal, so that a killed download loses only its last files."""

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fer_models.private_folder import make_private
from fer_models.storage.s3.source import FILE_KEY, ObjectState

_JOURNAL = "index.jsonl"
_MAX_LINES_PER_FILE = 4


@dataclass(frozen=True)
class _Held:
    state: ObjectState
    modified_ns: int


class MirrorIndex:
    """The files below `folder` and the states of the objects that they are copies of.

    A file is current if the journal names its object's present size and ETag, and the file has not
    been changed since. Call it under the mirror's lock.
    """

    def __init__(self, folder: Path, content: Path) -> None:
        """Read the journal in `folder`; `content` is the file or folder that is mirrored."""
        self._journal = folder / _JOURNAL
        self._content = content
        self._held = self._read()

    def path_of(self, key: str) -> Path:
        """Where an object's copy is."""
        return self._content if key == FILE_KEY else self._content / key

    def stale(self, wanted: Mapping[str, ObjectState]) -> list[str]:
        """The keys whose copies are missing or out of date."""
        return [key for key, state in wanted.items() if not self._is_current(key, state)]

    def drop_others(self, wanted: Iterable[str]) -> None:
        """Remove all files but the copies of these objects, and folders that are empty then."""
        keys = set(wanted)
        if self._content.is_file():
            if FILE_KEY not in keys:
                self._content.unlink()
            return
        # From the disk, not from the journal: a killed process may have moved a file unrecorded.
        for folder, _, names in os.walk(self._content, topdown=False):
            for name in names:
                path = Path(folder, name)
                if path.relative_to(self._content).as_posix() not in keys:
                    path.unlink()
            with contextlib.suppress(OSError):  # not empty
                Path(folder).rmdir()

    def add(self, moved: Mapping[str, tuple[Path, ObjectState]]) -> None:
        """Move complete files to their places, and then record them."""
        lines = []
        for key, (part, state) in moved.items():
            path = self.path_of(key)
            make_private(path.parent)
            part.replace(path)
            held = _Held(state, path.stat().st_mtime_ns)
            self._held[key] = held
            lines.append(_line(key, held))
        with self._journal.open("a", encoding="utf-8") as journal:
            journal.write("".join(lines))

    def _is_current(self, key: str, state: ObjectState) -> bool:
        held = self._held.get(key)
        if held is None or held.state != state:
            return False
        try:
            status = self.path_of(key).stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (state.size, held.modified_ns)

    def _read(self) -> dict[str, _Held]:
        held: dict[str, _Held] = {}
        try:
            lines = self._journal.read_text("utf-8").splitlines(keepends=True)
        except FileNotFoundError:
            return held
        for line in lines:
            try:
                key, size, etag, modified_ns = json.loads(line)
            except ValueError:  # the last line of a killed process
                continue
            held[key] = _Held(ObjectState(size, etag), modified_ns)
        if lines and (not lines[-1].endswith("\n") or len(lines) > _MAX_LINES_PER_FILE * len(held)):
            part = self._journal.with_suffix(".part")
            part.write_text("".join(_line(*item) for item in held.items()), "utf-8")
            part.replace(self._journal)
        return held


def _line(key: str, held: _Held) -> str:
    record = [key, held.state.size, held.state.etag, held.modified_ns]
    return json.dumps(record) + "\n"
