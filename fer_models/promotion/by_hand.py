"""Changes of the champion by a person: a promotion without the gate, and the way back.

Both append one entry to the registry, with a reason and who made the change. The entry that was
current when the change was decided on must still be current; otherwise it is a lost race.
"""

import getpass
import socket
from typing import Any

from fer_models.errors import ConfigError, StoreError
from fer_models.evaluation.predictions import model_classes_of
from fer_models.promotion.criteria import champion_problem
from fer_models.storage.champions import champion_alias, named_champion
from fer_models.storage.refs import ModelRef
from fer_models.storage.registry import CHAMPION, Registry, RegistryEntry
from fer_models.storage.store import ArtifactStore

BY = "by"
"""Key of an entry's details: who made the change."""
_KEPT = ("snapshot_id", "classes", "selection_model_id")


def current_user() -> str:
    """`user@host` of this process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for its user
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def promote_by_hand(store: ArtifactStore, model: ModelRef, reason: str, by: str) -> RegistryEntry:
    """Make a model the champion of its classes, whatever the gate says.

    Args:
        store: holds the model and the registry.
        model: a complete network or ensemble.
        reason: why; kept in the history.
        by: who, such as `user@host`.

    Raises:
        ConfigError: there is no reason, or the model is the champion already.
        LostRaceError: another run changed the champion at the same moment.
        StoreError: the model is missing or damaged.

    Example:
        promote_by_hand(store, model, "the gate's images are too old", current_user())
    """
    _check_reason(reason)
    store.reuse(model)
    problem = champion_problem(store, model.id)
    if problem:
        raise StoreError(problem.replace("the champion's artifact", "the artifact", 1))
    classes = model_classes_of(store, model)
    registry, alias = Registry(store), champion_alias(classes)
    current = registry.current(alias)
    if current is not None and current.model_id == model.id:
        raise ConfigError(
            f"{model.id} is the {alias} already (entry {current.number}: {current.reason}); "
            "name another model, see `ferflow models list`"
        )
    details = {
        "snapshot_id": store.info(model).get("snapshot_id"),
        "classes": list(classes.names),
        BY: by,
    }
    return registry.set(alias, model.id, reason.strip(), details, expected=current)


def roll_back(
    store: ArtifactStore,
    reason: str,
    by: str,
    to: int | None = None,
    alias: str = CHAMPION,
) -> RegistryEntry:
    """Make an earlier champion the champion again.

    Args:
        store: holds the registry.
        reason: why; kept in the history.
        by: who, such as `user@host`.
        to: number of the entry whose model becomes the champion; None: the champion before.
        alias: which champion, if there are several class lists; with `to` that of the entry.

    Raises:
        ConfigError: there is no reason, no such entry, no earlier champion, or several class lists.
        LostRaceError: another run changed the champion at the same moment.
        StoreError: the earlier champion is missing or damaged.

    Example:
        roll_back(store, "wrong for dark faces", current_user()).model_id
    """
    _check_reason(reason)
    registry = Registry(store)
    history = registry.history()
    target = _entry(store, history, to) if to is not None else _previous(store, history, alias)
    current = registry.current(target.alias)
    assert current is not None
    if current.model_id == target.model_id:
        raise ConfigError(
            f"{target.model_id} of entry {target.number} is the {target.alias} already; "
            "see `ferflow models history`"
        )
    store.reuse(store.ref(ModelRef, target.model_id, name=target.model_id))
    problem = champion_problem(store, target.model_id)
    if problem:
        raise StoreError(f"{problem}; choose another entry with --to, see `ferflow models history`")
    details: dict[str, Any] = {key: target.details[key] for key in _KEPT if key in target.details}
    details |= {BY: by, "rolled_back_to": target.number}
    return registry.set(target.alias, target.model_id, reason.strip(), details, expected=current)


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise ConfigError('expected a reason for the history, got none; pass --reason "..."')


def _entry(store: ArtifactStore, history: list[RegistryEntry], number: int) -> RegistryEntry:
    found = next((entry for entry in history if entry.number == number), None)
    if found is None:
        numbers = ", ".join(str(entry.number) for entry in history) or "none"
        raise ConfigError(
            f"{store.url} has no entry {number}; expected one of {numbers}, see "
            "`ferflow models history`"
        )
    return found


def _previous(store: ArtifactStore, history: list[RegistryEntry], alias: str) -> RegistryEntry:
    """The last entry of the champion before the current one."""
    current = named_champion(store, alias)
    previous_id = None if current is None else current.previous_id
    found = [
        entry
        for entry in history
        if current is not None and (entry.alias, entry.model_id) == (current.alias, previous_id)
    ]
    if not found:
        raise ConfigError(
            f"{store.url}: there is no previous champion; name a model with "
            "`ferflow models promote ID --reason ...`"
        )
    return found[-1]
