"""Artifacts named by the beginning of their id."""

import os

from fer_models.errors import NotFoundError
from fer_models.storage.refs import ArtifactRef, ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.user_input import user_path

_MAX_SHOWN = 10


def find_id(store: ArtifactStore, ref_type: type[ArtifactRef], text: str) -> str:
    """The id that starts with `text`; a full URL of an artifact of this store works as well.

    Raises:
        NotFoundError: `text` is empty or of another place, no id matches, or more than one does.
    """
    prefix = _id_part(store, ref_type, text)
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
        raise NotFoundError(f"{store.url}/{ref_type.folder}: {found}; available: {available}")
    return matches[0]


def _id_part(store: ArtifactStore, ref_type: type[ArtifactRef], text: str) -> str:
    """The id, or its beginning, in `text`: all of it, or what follows the store's URL."""
    place, slash, prefix = text.strip().rstrip("/").rpartition("/")
    if prefix and (not slash or _is_folder_of(store, ref_type, place)):
        return prefix
    url = f"{store.url}/{ref_type.folder}"
    got = repr(text) if prefix else f"{text!r}, which names none"
    bundle = "; if it is a bundle, name its .json file" if issubclass(ref_type, ModelRef) else ""
    raise NotFoundError(
        f"{url}: expected an id, its beginning, or {url}/ID, got {got}; pass an id of this store, "
        f"or the store that it is in (--store){bundle if prefix else ''}"
    )


def _is_folder_of(store: ArtifactStore, ref_type: type[ArtifactRef], place: str) -> bool:
    """Whether `place` is where the store has its artifacts of this kind."""
    if place == f"{store.url}/{ref_type.folder}":
        return True
    if not store.is_local:
        return False
    path = user_path(place.removeprefix("file://"))
    return os.path.abspath(path) == os.path.abspath(store.local_root / ref_type.folder)  # noqa: PTH100 - resolves `..`
