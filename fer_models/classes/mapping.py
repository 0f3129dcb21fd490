"""From the labels that sources contain to the class list of a snapshot, as `data.classes` says."""

from collections.abc import Mapping
from dataclasses import dataclass

from fer_models.classes.class_list import FER2013_CLASSES, ClassList
from fer_models.classes.names import EMOTIONS, class_name, class_order, name_problem
from fer_models.classes.schemes import SCHEMES
from fer_models.errors import DataError

MIN_CLASSES, MAX_CLASSES = 2, 100
ClassMap = dict[str, str | tuple[str, ...] | None]
ClassSetting = str | tuple[str, ...] | ClassMap | None
_NUM_SHOWN = 12


@dataclass(frozen=True)
class ClassMapping:
    """The class list, and the class of each name that occurs; None for a dropped one."""

    classes: ClassList
    class_of: Mapping[str, str | None]


def setting_problems(setting: ClassSetting) -> list[str]:
    """What is wrong with a value of `data.classes` whatever the data; empty if nothing."""
    if setting is None:
        return []
    if isinstance(setting, str):
        if setting in SCHEMES:
            return []
        return [f"expected {', '.join(SCHEMES)}, a list or a mapping of names, got {setting!r}"]
    given = setting if isinstance(setting, tuple) else _kept(setting)
    names = tuple(map(class_name, given))
    problems = [f"{name!r} {name_problem(name)}" for name in names if name_problem(name)]
    problems += [f"{name!r} is named twice" for name in sorted(_repeated(names))]
    if isinstance(setting, tuple):
        if not MIN_CLASSES <= len(names) <= MAX_CLASSES:
            problems.append(f"expected {MIN_CLASSES} to {MAX_CLASSES} classes, got {len(names)}")
        return problems
    sources = [source for _, members in _members(setting) for source in members]
    return problems + [
        f"{source!r} is given to two classes" for source in sorted(_repeated(sources))
    ]


def map_classes(found: Mapping[str, int], setting: ClassSetting) -> ClassMapping:
    """Decide the classes.

    Without a setting the classes are the names that occur: the basic emotions in FER2013's order,
    contempt, then others by name. A list names all classes in order. A mapping merges and renames
    (`{"positive": ["happy", "surprise"]}`), drops (`{"contempt": None}`), and leaves other names.

    Example:
        map_classes({"happy": 5, "sad": 4}, None).classes.names  # ("happy", "sad")

    Args:
        found: images by name, after `class_name`.
        setting: `data.classes`.

    Raises:
        DataError: fewer than 2 or more than 100 classes, or labels that the list lacks.
    """
    if setting is None:
        names = tuple(sorted(found, key=class_order))
        if len(names) < MIN_CLASSES and set(names) <= set(FER2013_CLASSES.names):
            return ClassMapping(FER2013_CLASSES, {name: name for name in names})
        return _checked(ClassMapping(ClassList.named(names), {name: name for name in names}))
    if isinstance(setting, dict):
        return _mapped(found, setting)
    if isinstance(setting, str):
        names = tuple(name for name in SCHEMES[setting].names.values() if name)
    else:
        names = tuple(map(class_name, setting))
    others = [name for name in found if name not in names]
    if others:
        raise DataError(
            f"data.classes has {', '.join(names)}, but these labels are none of them: "
            f"{_counted(found, others)}; add them, drop them with data.classes={{"
            f"{others[0]}: null}}, or merge them with {{{names[0]}: [{names[0]}, {others[0]}]}}"
        )
    return _checked(ClassMapping(ClassList.named(names), {name: name for name in found}))


def _mapped(found: Mapping[str, int], setting: ClassMap) -> ClassMapping:
    class_of: dict[str, str | None] = {}
    for name, members in _members(setting):
        class_of |= dict.fromkeys(members, name)
    own = list(dict.fromkeys(name for name in class_of.values() if name is not None))
    rest = sorted((name for name in found if name not in class_of), key=class_order)
    names = tuple(dict.fromkeys([*own, *rest]))
    class_of |= {name: name for name in rest}
    emotions = {
        source: target
        for source, target in class_of.items()
        if source in EMOTIONS and target is not None
    }
    used = {name: class_of[name] for name in found}
    return _checked(ClassMapping(ClassList(names, emotions), used))


def _members(setting: ClassMap) -> list[tuple[str | None, tuple[str, ...]]]:
    """Class (None: dropped) and the names that become it, of each entry of a mapping."""
    entries: list[tuple[str | None, tuple[str, ...]]] = []
    for key, value in setting.items():
        name = class_name(key)
        if value is None:
            entries.append((None, (name,)))
        else:
            members = (value,) if isinstance(value, str) else value
            entries.append((name, tuple(map(class_name, members))))
    return entries


def _kept(setting: ClassMap) -> tuple[str, ...]:
    return tuple(key for key, value in setting.items() if value is not None)


def _checked(mapping: ClassMapping) -> ClassMapping:
    names = mapping.classes.names
    if len(names) < MIN_CLASSES:
        raise DataError(
            f"expected at least {MIN_CLASSES} classes, got {', '.join(names) or 'none'}; add "
            "images of another class, or name all classes with data.classes=[first,second,...]"
        )
    if len(names) > MAX_CLASSES:
        shown = ", ".join(names[:_NUM_SHOWN])
        raise DataError(
            f"expected at most {MAX_CLASSES} classes, got {len(names)} ({shown}, ...): are these "
            "names of people or files? Name the folder whose subfolders are the classes, or merge "
            "with data.classes"
        )
    return mapping


def _repeated(names: list[str] | tuple[str, ...]) -> set[str]:
    return {name for name in names if names.count(name) > 1}


def _counted(found: Mapping[str, int], names: list[str]) -> str:
    shown = ", ".join(f"{name} ({found[name]:,} images)" for name in names[:_NUM_SHOWN])
    return shown + (f" and {len(names) - _NUM_SHOWN} more" if len(names) > _NUM_SHOWN else "")


def named_classes(setting: ClassSetting) -> frozenset[str]:
    """All names that a value of `data.classes` mentions: classes, merged and dropped ones."""
    if setting is None:
        return frozenset()
    if isinstance(setting, str):
        return frozenset(filter(None, SCHEMES[setting].names.values()))
    if isinstance(setting, tuple):
        return frozenset(map(class_name, setting))
    entries = _members(setting)
    return frozenset(name for target, names in entries for name in (target, *names) if name)
