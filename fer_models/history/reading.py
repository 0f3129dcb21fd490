"""Read many small objects at once: from a bucket, each costs a round trip."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from fer_models.errors import StoreError
from fer_models.storage.refs import ArtifactRef
from fer_models.storage.store import ArtifactStore

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
_NUM_THREADS = 16


def read_each(
    items: Iterable[ItemT], read: Callable[[ItemT], ResultT]
) -> tuple[list[ResultT], list[str]]:
    """Call `read` for each item, several at a time.

    Returns:
        The results in the order of the items, without those of damaged or missing objects; and one
        warning for each of these.
    """
    items = list(items)

    def attempt(item: ItemT) -> tuple[ResultT | None, StoreError | None]:
        try:
            return read(item), None
        except StoreError as error:
            return None, error

    with ThreadPoolExecutor(_NUM_THREADS, thread_name_prefix="read") as threads:
        outcomes = list(threads.map(attempt, items))
    return (
        [result for result, _ in outcomes if result is not None],
        [str(error) for _, error in outcomes if error is not None],
    )


def infos(
    store: ArtifactStore, ref_type: type[ArtifactRef], ids: Iterable[str] | None = None
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The metadata of artifacts of a kind by id, and a warning for each damaged one.

    Args:
        store: the store.
        ref_type: the kind.
        ids: which ones; by default all.

    Raises:
        StoreError: the store can't be listed.
    """
    wanted = store.list_ids(ref_type) if ids is None else list(ids)

    def read(artifact_id: str) -> tuple[str, dict[str, Any]]:
        # Only the place is known; the further fields of the reference are in the metadata.
        url = store.artifact_url(ref_type, artifact_id)
        return artifact_id, store.info(ref_type.model_construct(id=artifact_id, url=url))

    pairs, warnings = read_each(wanted, read)
    return dict(pairs), warnings
