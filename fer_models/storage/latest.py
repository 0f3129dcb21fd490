"""The latest output of each step in a store: the default input of the next step.

`latest/<step>.json` holds the reference. Steps are `ingest`, `validate`, `score`, `clean`, `split`,
`explore`, `tune`, `train-<member>`, `ensemble`, `evaluate-<model>`, `promote` and `report`.
"""

import json
from typing import TypeVar

from pydantic import ValidationError

from fer_models.errors import StoreError
from fer_models.storage.refs import ArtifactRef
from fer_models.storage.store import ArtifactStore

RefT = TypeVar("RefT", bound=ArtifactRef)
_FOLDER = "latest"


def remember(store: ArtifactStore, step: str, ref: ArtifactRef) -> None:
    """Record `ref` as the latest output of `step`.

    Raises:
        StoreError: the store can't be written.

    Example:
        remember(store, "train-compact_cnn", model)
        recall(store, "train-compact_cnn", ModelRef)  # model
    """
    store.write_bytes(f"{_FOLDER}/{step}.json", json.dumps(ref.model_dump(mode="json")).encode())


def recall(store: ArtifactStore, step: str, ref_type: type[RefT]) -> RefT:
    """The latest output of `step`.

    Raises:
        StoreError: the step has not run in this store.
    """
    found = recall_if_any(store, step, ref_type)
    if found is None:
        command = step.replace("train-", "train --member ")
        raise StoreError(
            f"{store.url}: no output of the step {step!r} yet; run `ferflow task {command}` first, "
            "or check --store"
        )
    return found


def recall_if_any(store: ArtifactStore, step: str, ref_type: type[RefT]) -> RefT | None:
    """The latest output of `step`, or None.

    Raises:
        StoreError: the store can't be read, or the record is damaged.
    """
    key = f"{_FOLDER}/{step}.json"
    if not store.has(key):
        return None
    try:
        return ref_type.model_validate_json(store.read_bytes(key))
    except ValidationError as error:
        raise StoreError(
            f"{store.url}/{key}: expected the reference that the step {step!r} returned, got "
            "something else; run that step again, which writes it anew"
        ) from error
