"""How much of a store each kind of artifact and each run takes."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep.contents import KIND_FOLDERS, Contents, read_contents


@dataclass(frozen=True)
class KindSize:
    """The objects below one folder of the store, in bytes; `count` is of artifacts or objects."""

    kind: str
    count: int
    num_bytes: int


@dataclass(frozen=True)
class RunSize:
    """What a run made or used; `own_bytes` are needed by no other run."""

    run: str
    num_bytes: int
    own_bytes: int


@dataclass(frozen=True)
class StoreSizes:
    """The size of a store by kind, the largest first, and by run, the newest first."""

    num_bytes: int
    kinds: tuple[KindSize, ...]
    runs: tuple[RunSize, ...]

    def as_json(self) -> dict[str, Any]:
        """Its fields as JSON values."""
        return {
            "bytes": self.num_bytes,
            "kinds": [asdict(one) for one in self.kinds],
            "runs": [asdict(one) for one in self.runs],
        }


def measure_store(store: ArtifactStore) -> StoreSizes:
    """The sizes of everything in a store.

    A file that several artifacts share is counted once.

    Raises:
        StoreError: the store can't be read.

    Example:
        measure_store(store).num_bytes
    """
    contents = read_contents(store)
    return StoreSizes(contents.num_bytes(contents.objects), _kinds(contents), _runs(contents))


def _kinds(contents: Contents) -> tuple[KindSize, ...]:
    sizes: Counter[str] = Counter()
    counts: Counter[str] = Counter(name.partition("/")[0] for name in contents.artifacts)
    for key, one in contents.objects.items():
        kind = key.partition("/")[0]
        sizes[kind] += one.size
        if kind not in KIND_FOLDERS:
            counts[kind] += 1
    found = [KindSize(kind, counts[kind], size) for kind, size in sizes.items()]
    return tuple(sorted(found, key=lambda one: (-one.num_bytes, one.kind)))


def _runs(contents: Contents) -> tuple[RunSize, ...]:
    keys = {
        record: frozenset[str]().union(
            *(contents.keys_of(name) for name in contents.reachable([record]))
        )
        for record in contents.records
    }
    users = Counter(key for held in keys.values() for key in held)
    return tuple(
        RunSize(
            run=record.rpartition("/")[2].removesuffix(".json"),
            num_bytes=contents.num_bytes(held),
            own_bytes=contents.num_bytes(key for key in held if users[key] == 1),
        )
        for record, held in keys.items()
    )
