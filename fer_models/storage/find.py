"""Artifacts named by the beginning of their id."""

from fer_models.errors import StoreError
from fer_models.storage.refs import ArtifactRef
from fer_models.storage.store import ArtifactStore

_MAX_SHOWN = 10


def find_id(store: ArtifactStore, ref_type: type[ArtifactRef], text: str) -> str:
    """The id that starts with `text`; a full URL works as well.

    Raises:
        StoreError: no id matches, or more than one does.
    """
    prefix = text.rstrip("/").rpartition("/")[2]
    ids = store.list_ids(ref_type)
    matches = [known for known in ids if known.startswith(prefix)]
    if prefix in ids:
        return prefix
    if len(matches) != 1:
        found = (
            f"{len(matches)} ids start with {prefix!r}; use a longer beginning"
            if matches
            else f"no id starts with {prefix!r}"
        )
        available = ", ".join((matches or ids)[:_MAX_SHOWN]) or "none"
        raise StoreError(f"{store.url}/{ref_type.folder}: {found}; available: {available}")
    return matches[0]
