"""What is in a store: its objects, artifacts and records, and which refers to which."""

import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from fer_models.errors import StoreError
from fer_models.storage.artifact import ARTIFACT_FILE, Artifact, describes
from fer_models.storage.backend import StoredObject
from fer_models.storage.refs import ARTIFACT_KINDS
from fer_models.storage.store import ArtifactStore

HISTORY_FOLDER = "history"
RESULTS_FOLDER = "results"
KIND_FOLDERS = tuple(kind.folder for kind in ARTIFACT_KINDS)
# Ids are words in descriptions, in URLs and in sentences.
_BETWEEN_WORDS = re.compile(r"[\s\"'`/\\,;:()\[\]{}<>=|]+")
# Lineage, decisions and choices are far below; tables of results don't name artifacts.
_MAX_TEXT_BYTES = 4 << 20
_NUM_THREADS = 16

KeyT = TypeVar("KeyT")


@dataclass(frozen=True)
class Contents:
    """Everything in a store, read once.

    A *name* is `<folder>/<id>` of an artifact, or the key of the record of a run.
    """

    store: ArtifactStore
    objects: Mapping[str, StoredObject]
    """All objects by key."""
    texts: Mapping[str, str]
    """By name: the description of an artifact with its JSON files, or a record."""
    files: Mapping[str, tuple[str, ...]]
    """By artifact: the keys of its files, possibly in the folder of another artifact."""

    @cached_property
    def references(self) -> Mapping[str, frozenset[str]]:
        """By name: the names of the artifacts that it refers to."""
        return {name: self.named_in(text) - {name} for name, text in self.texts.items()}

    @cached_property
    def artifacts(self) -> tuple[str, ...]:
        """The names of the described artifacts."""
        return tuple(name for name in self.texts if not is_record(name))

    @cached_property
    def records(self) -> tuple[str, ...]:
        """The keys of the records, the newest run first."""
        return tuple(sorted(filter(is_record, self.texts), reverse=True))

    @cached_property
    def _by_id(self) -> Mapping[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for name in self.artifacts:
            found.setdefault(name.partition("/")[2], set()).add(name)
        return {one: frozenset(names) for one, names in found.items()}

    def named_in(self, text: str) -> frozenset[str]:
        """The artifacts whose ids are words of a text."""
        words = {word.strip(".") for word in _BETWEEN_WORDS.split(text)}
        return frozenset().union(*(self._by_id[word] for word in words & self._by_id.keys()))

    def reachable(self, names: Iterable[str]) -> frozenset[str]:
        """The names, and all that they refer to, directly or not."""
        found: set[str] = set()
        open_names = [name for name in names if name in self.texts]
        while open_names:
            name = open_names.pop()
            if name not in found:
                found.add(name)
                open_names += self.references[name] - found
        return frozenset(found)

    def keys_of(self, name: str) -> frozenset[str]:
        """The keys of the objects that an artifact or a record needs."""
        if is_record(name):
            return frozenset({name})
        return frozenset({f"{name}/{ARTIFACT_FILE}", *self.files[name]}) & self.objects.keys()

    def num_bytes(self, keys: Iterable[str]) -> int:
        """The size of objects."""
        return sum(self.objects[key].size for key in keys)

    def modified_s(self, name: str) -> float:
        """When an artifact or a record was written."""
        key = name if is_record(name) else f"{name}/{ARTIFACT_FILE}"
        return self.objects[key].modified_s


def read_contents(store: ArtifactStore) -> Contents:
    """List a store, and read what its artifacts and records say.

    Raises:
        StoreError: the store can't be read.
    """
    objects = store.backend.listing("")
    names = artifact_names(objects)
    described = read_texts(store, {name: f"{name}/{ARTIFACT_FILE}" for name in names})
    files = {name: _files_of(text) for name, text in described.items()}
    further = {
        (name, key): key
        for name, keys in files.items()
        for key in keys
        if key.endswith(".json") and key in objects and objects[key].size <= _MAX_TEXT_BYTES
    }
    texts: dict[str, list[str]] = {name: [text] for name, text in described.items()}
    for (name, _), text in read_texts(store, further).items():
        texts[name].append(text)
    records = read_texts(store, {key: key for key in objects if is_record(key)})
    return Contents(
        store=store,
        objects=objects,
        texts={name: "\n".join(parts) for name, parts in texts.items()} | records,
        files=files,
    )


def artifact_names(keys: Iterable[str]) -> list[str]:
    """The names of the artifacts whose descriptions are among the keys."""
    keys = list(keys)
    return [
        key.removesuffix(f"/{ARTIFACT_FILE}")
        for folder in KIND_FOLDERS
        for key in keys
        if key.startswith(f"{folder}/") and describes(folder, key)
    ]


def is_record(name: str) -> bool:
    """Whether a name is the key of the record of a run."""
    return name.startswith(f"{HISTORY_FOLDER}/") and name.endswith(".json")


def read_texts(store: ArtifactStore, keys: Mapping[KeyT, str]) -> dict[KeyT, str]:
    """The objects as text, several at a time; without those that were removed meanwhile."""

    def read(key: str) -> str | None:
        try:
            return store.read_bytes(key).decode(errors="replace")
        except StoreError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            return None

    found = _in_threads(read, list(keys.values()))
    return {name: text for name, text in zip(keys, found, strict=True) if text is not None}


def _in_threads(read: Callable[[str], str | None], keys: list[str]) -> list[str | None]:
    with ThreadPoolExecutor(_NUM_THREADS, thread_name_prefix="read") as threads:
        return list(threads.map(read, keys))


def _files_of(text: str) -> tuple[str, ...]:
    """The keys of the files of an artifact; none if its description is damaged."""
    try:
        return tuple(file.key for file in Artifact.model_validate_json(text).files.values())
    except ValueError:
        return ()
