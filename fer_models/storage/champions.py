"""Champions: one registry alias for each class list, so that their models never meet.

FER2013's seven classes have the alias `champion`, others `champion@<key>` with the key of their
class list.
"""

from fer_models.classes.class_list import ClassList
from fer_models.errors import ConfigError
from fer_models.storage.registry import CHAMPION, Registry, RegistryEntry
from fer_models.storage.store import ArtifactStore

_SEPARATOR = "@"


def champion_alias(classes: ClassList) -> str:
    """The alias of the champion of a class list.

    Example:
        champion_alias(FER2013_CLASSES)  # "champion"
    """
    return f"{CHAMPION}{_SEPARATOR}{classes.key}" if classes.key else CHAMPION


def is_champion_alias(alias: str) -> bool:
    """Whether an alias names a champion, of any class list."""
    return alias == CHAMPION or alias.startswith(CHAMPION + _SEPARATOR)


def current_champion(store: ArtifactStore, classes: ClassList) -> RegistryEntry | None:
    """The champion of a class list; None if there is none.

    Raises:
        StoreError: the registry can't be read.
    """
    return Registry(store).current(champion_alias(classes))


def all_champions(store: ArtifactStore) -> dict[str, RegistryEntry]:
    """The current champion of every class list, by alias.

    Raises:
        StoreError: the registry can't be read.
    """
    entries = Registry(store).history()
    return {entry.alias: entry for entry in entries if is_champion_alias(entry.alias)}


def selection_model_id(entry: RegistryEntry) -> str:
    """The model that comparisons with a champion use: the one that was selected on validation.

    A champion may be trained on the validation images as well, after its selection; its entry then
    names the model that was selected (`selection_model_id`).
    """
    return str(entry.details.get("selection_model_id", entry.model_id))


def named_champion(store: ArtifactStore, alias: str = CHAMPION) -> RegistryEntry | None:
    """The champion that a person means: by its alias, or the only one for plain `champion`.

    Raises:
        ConfigError: there is no such alias, or `champion` could be several.
        StoreError: the registry can't be read.
    """
    champions = all_champions(store)
    if alias in champions and (alias != CHAMPION or len(champions) == 1):
        return champions[alias]
    if alias == CHAMPION and len(champions) < 2:
        return next(iter(champions.values()), None)
    offers = ", ".join(
        f"{name} ({described_classes(entry)})" for name, entry in sorted(champions.items())
    )
    if alias == CHAMPION:
        raise ConfigError(
            f"{store.url} has a champion for each of {len(champions)} class lists: {offers}; "
            "name a model by its id, or one of these aliases"
        )
    raise ConfigError(f"{store.url} has no {alias}; expected one of {offers or 'none so far'}")


def described_classes(entry: RegistryEntry) -> str:
    """The classes of a champion in a few words."""
    names = entry.details.get("classes")
    if names:
        return ", ".join(map(str, names))
    return "FER2013's classes" if entry.alias == CHAMPION else "own classes"
