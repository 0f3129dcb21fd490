"""What a collection of a store would remove, and why the rest is kept."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from fer_models.storage.artifact import ARTIFACT_FILE
from fer_models.storage.refs import CopiesRef
from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep.activity import RUNNING_FOLDER, earliest_start, store_clock
from fer_models.storage.upkeep.config import RetentionConfig
from fer_models.storage.upkeep.contents import (
    KIND_FOLDERS,
    RESULTS_FOLDER,
    Contents,
    is_record,
    read_contents,
    read_texts,
)
from fer_models.storage.upkeep.results import artifacts_in
from fer_models.storage.upkeep.roots import LOGS, Roots
from fer_models.storage.upkeep.usage import USED_FOLDER

# Copies of checkpoints on a cluster, of trainings that never ended.
_UNFINISHED = ("checkpoints", "training", ".probe", RUNNING_FOLDER)
_HOUR_S, _DAY_S = 3600.0, 86_400.0


@dataclass(frozen=True)
class Garbage:
    """An artifact that nothing needs."""

    name: str
    keys: tuple[str, ...]
    """Its objects, `artifact.json` first."""
    num_bytes: int

    @property
    def kind(self) -> str:
        """Its folder."""
        return self.name.partition("/")[0]


@dataclass(frozen=True)
class CollectionPlan:
    """What would be removed, in this order: nothing that is left refers to something removed."""

    results: tuple[str, ...]
    """Cached results of tasks that refer to something that is removed or missing."""
    records: tuple[str, ...]
    """The records of old runs."""
    artifacts: tuple[Garbage, ...]
    """What refers to others comes before them."""
    leftovers: tuple[str, ...]
    """Objects that belong to nothing: files of interrupted runs, marks of former use."""
    abandoned: tuple[str, ...]
    """What killed writers left, see `Backend.abandoned`."""
    num_bytes: int
    """Of everything that would be removed."""
    kept: dict[str, int]
    """How many artifacts are kept for each reason; one may have several."""
    kept_bytes: int

    def as_json(self) -> dict[str, Any]:
        """What would be removed, and what is kept."""
        return {
            "runs": [key.rpartition("/")[2].removesuffix(".json") for key in self.records],
            "artifacts": [one.name for one in self.artifacts],
            "results": len(self.results),
            "leftovers": len(self.leftovers) + len(self.abandoned),
            "bytes": self.num_bytes,
            "kept": self.kept,
            "kept_bytes": self.kept_bytes,
        }


def plan_collection(store: ArtifactStore, retention: RetentionConfig) -> CollectionPlan:
    """Find what nothing needs; nothing is removed.

    Kept are the models that aliases point to, now and before; the outputs that steps remember as
    their latest; people's decisions and labels, and the page that waits for some; stored
    predictions; the newest runs; whatever was written or used lately, or by a run that is running;
    and all that these refer to.

    Raises:
        StoreError: the store can't be read or written (its clock is that of what is written).
    """
    now_s = store_clock(store.backend)
    started_s = earliest_start(store.backend, now_s)
    contents = read_contents(store)
    min_age_s = retention.min_age_h * _HOUR_S
    young_s = min(started_s, now_s - max(min_age_s, retention.keep_days * _DAY_S))
    leftover_s = min(started_s, now_s - min_age_s)
    roots = Roots(contents, young_s, retention.keep_runs).by_reason()
    kept = contents.reachable({name for names in roots.values() for name in names})
    kept |= _copies_of(contents, kept)
    garbage = [name for name in contents.artifacts if name not in kept]
    needed = frozenset().union(*(contents.keys_of(name) for name in kept))
    artifacts = [_garbage(contents, name, needed) for name in referrers_first(contents, garbage)]
    records = [record for record in contents.records if record not in kept]
    results = _stale_results(contents, kept, leftover_s)
    leftovers = _leftovers(contents, needed, young_s, leftover_s)
    abandoned = {
        name: one for name, one in store.backend.abandoned().items() if one.modified_s < leftover_s
    }
    removed = {key for one in artifacts for key in one.keys} | {*records, *results, *leftovers}
    num_bytes = contents.num_bytes(removed) + sum(one.size for one in abandoned.values())
    return CollectionPlan(
        results=tuple(results),
        records=tuple(records),
        artifacts=tuple(artifacts),
        leftovers=tuple(leftovers),
        abandoned=tuple(abandoned),
        num_bytes=num_bytes,
        kept={
            reason: sum(not is_record(name) for name in contents.reachable(names))
            for reason, names in roots.items()
        },
        kept_bytes=contents.num_bytes(contents.objects.keys() - removed),
    )


def referrers_first(contents: Contents, names: Collection[str]) -> list[str]:
    """The names in an order in which each comes before those that it refers to."""
    among = set(names)
    done: set[str] = set()
    backwards: list[str] = []
    for first in sorted(among):
        path = [(first, iter(sorted(contents.references[first] & among)))]
        if first in done:
            continue
        done.add(first)
        while path:
            name, targets = path[-1]
            target = next((one for one in targets if one not in done), None)
            if target is None:
                backwards.append(name)
                path.pop()
            else:
                done.add(target)
                path.append((target, iter(sorted(contents.references[target] & among))))
    return backwards[::-1]


def _copies_of(contents: Contents, kept: frozenset[str]) -> frozenset[str]:
    """Which images of a kept snapshot are copies: no record names it, and it takes long to find."""
    found = (name for name in contents.artifacts if name.startswith(f"{CopiesRef.folder}/"))
    return frozenset(name for name in found if contents.references[name] <= kept)


def _garbage(contents: Contents, name: str, needed: frozenset[str]) -> Garbage:
    own = {key for key in contents.objects if key.startswith(f"{name}/")} - needed
    description = f"{name}/{ARTIFACT_FILE}"
    # Nested files first: an empty folder is removed with its last file.
    files = sorted(own - {description}, key=lambda key: (-key.count("/"), key))
    return Garbage(name, (description, *files), contents.num_bytes(own))


def _stale_results(contents: Contents, kept: frozenset[str], leftover_s: float) -> list[str]:
    """Old cached results that refer to an artifact which is missing, or will be."""
    keys = {
        key: key
        for key, one in contents.objects.items()
        if key.startswith(f"{RESULTS_FOLDER}/") and one.modified_s < leftover_s
    }
    texts = read_texts(contents.store, keys)
    return sorted(key for key, text in texts.items() if artifacts_in(text) - kept)


def _leftovers(
    contents: Contents, needed: frozenset[str], young_s: float, leftover_s: float
) -> list[str]:
    """Old objects that belong to no artifact, to no training that runs, and to no use of one."""
    described = set(contents.artifacts)
    found = []
    for key, one in contents.objects.items():
        folder, _, rest = key.partition("/")
        artifact_id, separator, _ = rest.partition("/")
        name = f"{folder}/{artifact_id}"
        # A file directly in such a folder is none of an artifact.
        is_file = folder in KIND_FOLDERS and bool(separator) and not key.startswith(LOGS)
        if is_file and name not in described and key not in needed:
            limit_s = leftover_s
        elif folder in _UNFINISHED:
            limit_s = young_s
        elif folder == USED_FOLDER:
            limit_s = young_s if rest in described else leftover_s
        else:
            continue
        if one.modified_s < limit_s:
            found.append(key)
    return sorted(found)
