"""Stores that exist: what is there is checked, measured and cleared, and nothing is created."""

from deployments.cli.options import open_store
from fer_models.errors import StoreError
from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep.contents import artifact_names, is_record

_ADVICE = "check --store, or begin a store there with `ferflow run`"


def existing_store(store_url: str | None) -> ArtifactStore:
    """The store of `--store`, or the default one; a bucket is not contacted yet.

    Raises:
        StoreError: the store is in a folder that does not exist.
    """
    store = open_store(store_url)
    if store.is_local and not store.local_root.is_dir():
        got = "a file" if store.local_root.exists() else "no such folder"
        raise StoreError(f"{store.url}: expected a store, got {got}; {_ADVICE}")
    return store


def refuse_foreign(store: ArtifactStore) -> None:
    """Refuse to collect where nothing was written by ferflow: any project may have a `models/`.

    Raises:
        StoreError: there is no artifact, and no record of a run.
    """
    keys = refuse_empty(store)
    if not artifact_names(keys) and not any(map(is_record, keys)):
        raise StoreError(
            f"{store.url}: expected a store, got files, but no artifact and no record of a run; "
            "check --store. Nothing was removed"
        )


def refuse_empty(store: ArtifactStore) -> list[str]:
    """Refuse a store in which nothing was written yet; it may be the wrong folder or prefix.

    Returns:
        All keys.

    Raises:
        StoreError: there is no object.
    """
    keys = store.list_keys("")
    if not keys:
        got = "an empty folder" if store.is_local else "nothing below this prefix"
        raise StoreError(f"{store.url}: expected a store, got {got}; {_ADVICE}")
    return keys
