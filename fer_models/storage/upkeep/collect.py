"""Remove what nothing in a store needs."""

from collections.abc import Iterator
from contextlib import contextmanager

from fer_models.errors import StoreError
from fer_models.progress import report
from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep.activity import CollectionLock
from fer_models.storage.upkeep.config import RetentionConfig
from fer_models.storage.upkeep.plan import CollectionPlan, plan_collection


def collect(store: ArtifactStore, retention: RetentionConfig) -> CollectionPlan:
    """Remove what `plan_collection` finds; returns what was removed.

    A killed collection leaves a whole store: whatever refers to something is removed before it, and
    of an artifact its description first. The next collection removes the rest.

    Raises:
        StoreError: another collection is running, or the store can't be read or written.

    Example:
        removed = collect(store, RetentionConfig(keep_days=7, keep_runs=5))
        print(removed.num_bytes)
    """
    with CollectionLock(store.backend) as lock:
        plan = plan_collection(store, retention)
        remover = _Remover(store, lock, plan)
        remover.remove(plan.results)
        remover.remove(plan.records)
        for garbage in plan.artifacts:
            remover.remove(garbage.keys)
        remover.remove(plan.leftovers)
        remover.remove_abandoned(plan.abandoned)
    return plan


class _Remover:
    """Removes objects one after the other, and reports how far it is."""

    def __init__(self, store: ArtifactStore, lock: CollectionLock, plan: CollectionPlan) -> None:
        self._backend = store.backend
        self._lock = lock
        of_artifacts = sum(len(garbage.keys) for garbage in plan.artifacts)
        others = (plan.results, plan.records, plan.leftovers, plan.abandoned)
        self._total = of_artifacts + sum(map(len, others))
        self._done = 0

    def remove(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            self._next()
            with _removed_meanwhile():
                self._backend.remove(key)

    def remove_abandoned(self, names: tuple[str, ...]) -> None:
        for name in names:
            self._next()
            self._backend.remove_abandoned(name)

    def _next(self) -> None:
        self._lock.renew()
        report("collect", self._done, self._total, "objects")
        self._done += 1


@contextmanager
def _removed_meanwhile() -> Iterator[None]:
    """Ignore that an object is gone already."""
    try:
        yield
    except StoreError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
