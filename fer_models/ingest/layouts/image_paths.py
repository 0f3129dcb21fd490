"""From the paths that a table contains to the files that a folder or archive contains.

Paths in tables are relative to some folder, or absolute on another machine. One rule is chosen for
a whole table: which leading folders to drop, and which folder to put in front.
"""

import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from fer_models.ingest.files.detection import is_image
from fer_models.ingest.formats.fields import split_of

_SAMPLE = 200
_MAX_SAME_NAME = 50
_MOST = 0.9
_DRIVE = re.compile(r"^[A-Za-z]:")


class AmbiguousPathError(ValueError):
    """Paths fit several files; the message is meant for the user."""


@dataclass(frozen=True)
class _Rule:
    """Drop the first folders of a path, and put another one in front."""

    dropped: int
    base: str

    def apply(self, path: str) -> str:
        parts = path.split("/")[self.dropped :]
        return posixpath.normpath(posixpath.join(self.base, *parts))


class ImageIndex:
    """The files of a source, found by the paths of a table.

    Example:
        ImageIndex(["images/1.jpg"]).resolve(["1"], folder="", splits=[""])  # ["images/1.jpg"]
    """

    def __init__(self, names: Sequence[str]) -> None:
        files = [name for name in names if is_image(name)]
        self._exact = set(files)
        self._folded = _unique((_fold(name), name) for name in files)
        self._without_suffix = _unique((_fold(posixpath.splitext(f)[0]), f) for f in files)
        self._by_name: dict[str, list[str]] = {}
        for name in files:
            last = _fold(posixpath.basename(name))
            for key in {last, posixpath.splitext(last)[0]}:
                self._by_name.setdefault(key, []).append(name)

    def resolve(self, paths: Sequence[str], folder: str, splits: Sequence[str]) -> list[str]:
        """The file of each path; "" for one that there is not.

        Args:
            paths: as the table contains them.
            folder: that contains the table, with a slash at its end; "" for the root.
            splits: of each path, or "".

        Raises:
            AmbiguousPathError: the paths fit several folders equally well.
        """
        plain = [_plain(path) for path in paths]
        sample = [path for path in plain[:: max(1, len(plain) // _SAMPLE)] if path]
        if self._are_names_only(plain, sample, folder, any(splits)):
            pairs = zip(plain, splits, strict=True)
            return [self._by_file_name(path, split) if path else "" for path, split in pairs]
        rule = self._rule(sample, folder)
        return [self._find(rule.apply(path)) if path else "" for path in plain]

    def _are_names_only(
        self, paths: Sequence[str], sample: Sequence[str], folder: str, has_splits: bool
    ) -> bool:
        """Whether the paths are file names whose files lie in several folders."""
        if any("/" in path for path in paths):
            return False
        rules: Counter[_Rule] = Counter()
        for path in sample:
            rules.update(set(self._rules_for(path, 0)))
        if rules[_Rule(0, folder)] or rules[_Rule(0, "")]:
            return False
        known = sum(_fold(path) in self._by_name for path in sample)
        most = max(rules.values(), default=0)
        is_tied = sum(hits == most for hits in rules.values()) > 1
        return most < _MOST * known or (is_tied and has_splits)

    def _rule(self, sample: Sequence[str], folder: str) -> _Rule:
        droppable = _common_folders(sample)
        rules = Counter({_Rule(0, folder): 0, _Rule(0, ""): 0})
        for path in sample:
            rules.update(set(self._rules_for(path, droppable)))
        hits = {rule: self._hits(rule, sample) for rule in rules}
        most = max(hits.values())
        if most == 0:
            return _Rule(0, folder)
        best = [rule for rule in hits if hits[rule] == most]  # the table's own folder comes first
        if best[0].dropped == 0 and best[0].base in (folder, ""):
            return best[0]
        meant = {tuple(self._find(rule.apply(path)) for path in sample) for rule in best}
        if len(meant) > 1:
            bases = " and ".join(sorted({rule.base.strip("/") or "." for rule in best})[:2])
            raise AmbiguousPathError(
                f"the paths fit the images of {bases}: write the folder into the paths, or name "
                "the folder of the images as the source"
            )
        return best[0]

    def _rules_for(self, path: str, droppable: int) -> Iterator[_Rule]:
        """Rules that lead from a path to a file of the same name."""
        parts = path.split("/")
        same_name = self._by_name.get(_fold(parts[-1]), [])
        for file in same_name[:_MAX_SAME_NAME]:
            own = file.split("/")
            for dropped in range(min(droppable, len(parts) - 1) + 1):
                kept = parts[dropped:]
                tail = own[-len(kept) :]
                if len(own) >= len(kept) and _fold("/".join(tail[:-1])) == _fold(
                    "/".join(kept[:-1])
                ):
                    yield _Rule(dropped, "".join(f"{part}/" for part in own[: -len(kept)]))

    def _hits(self, rule: _Rule, sample: Sequence[str]) -> int:
        return sum(bool(self._find(rule.apply(path))) for path in sample)

    def _find(self, path: str) -> str:
        if path in self._exact:
            return path
        folded = _fold(path)
        return self._folded.get(folded) or self._without_suffix.get(folded, "")

    def _by_file_name(self, name: str, split: str) -> str:
        """The only file of this name, or the only one in the folder of its split."""
        files = self._by_name.get(_fold(name), [])
        if len(files) > 1 and split:
            files = [f for f in files if split in map(split_of, PurePosixPath(f).parts[:-1])]
        if len(files) > 1:
            raise AmbiguousPathError(
                f"{name} fits {len(files)} files, such as {files[0]} and {files[1]}: write the "
                "folder into the paths"
            )
        return files[0] if files else ""


def _plain(path: str) -> str:
    path = _DRIVE.sub("", path.strip().replace("\\", "/"))
    return posixpath.normpath(path).lstrip("/") if path else ""


def _fold(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _unique(pairs: Iterator[tuple[str, str]]) -> dict[str, str]:
    """A mapping without the keys that occur more than once."""
    found: dict[str, str] = {}
    repeated = set()
    for key, value in pairs:
        if key in found:
            repeated.add(key)
        found[key] = value
    return {key: value for key, value in found.items() if key not in repeated}


def _common_folders(paths: Sequence[str]) -> int:
    """How many leading folders all paths share."""
    folders = [path.split("/")[:-1] for path in paths]
    return sum(1 for _ in _common(folders))


def _common(folders: Sequence[Sequence[str]]) -> Iterator[str]:
    for level in zip(*folders, strict=False):
        if len(set(level)) > 1:
            return
        yield level[0]
