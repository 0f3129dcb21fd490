"""Split and label of an image by its folders: `[<root>/][<split>/]<class>/...`.

The root and the level of the class folders are found from the paths alone, so that a folder and an
archive of it are read the same way.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fer_models.classes.names import class_name
from fer_models.classes.schemes import is_number
from fer_models.dataset.snapshot import UNASSIGNED
from fer_models.ingest.files.detection import folders_of, is_image, is_table, is_utf8
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.fields import split_of
from fer_models.ingest.formats.labels import LabelReader, LabelSettings
from fer_models.ingest.layouts.places import Files, Place, Recognised

Parts = tuple[str, ...]
Grouped = Mapping[Parts, Sequence[str]]
"""Files by the folders that they are in; the work is one of folders, not of files."""
_MAX_DEPTH = 12
_NO_CLASS_FOLDERS = (
    "images lie directly in it, not in class folders: they have no label, and are kept, but not "
    "used for training or evaluation"
)


@dataclass(frozen=True)
class FolderLabel:
    """Split of an image, and the text of its label; None for an unlabelled image."""

    split: str
    label: str | None


@dataclass(frozen=True)
class Layout:
    """Where the folders of a source have their meaning: positions in a path from the root."""

    root: Parts
    """Folders above all splits and classes."""
    split_level: int | None
    class_level: int
    is_certain: bool = True
    """False if several levels could be the classes, and no name on any of them is known."""


def recognise_folders(
    files: Files, settings: LabelSettings, findings: Findings
) -> Recognised | None:
    """Every source: what is no other layout has to be this one."""
    found = folder_labels(files.names, findings, LabelReader(settings))
    places = [Place(path, one.split, one.label) for path, one in found.items()]
    return None if findings.faults else Recognised("class folders", places)


def folder_labels(
    files: Sequence[str], findings: Findings, labels: LabelReader
) -> dict[str, FolderLabel]:
    """Split and label of each file in a class folder; misplaced images become faults.

    Images directly in a test folder, without class folders, have no label, which is noted.

    Args:
        files: relative POSIX paths.
        findings: receives the faults of the layout.
        labels: reads the names of the class folders.
    """
    grouped, images = _grouped(files), _grouped(filter(is_image, files))
    layout = _layout(images or grouped, labels.settings)
    if doubt := _doubt(grouped, images, layout, labels.settings):
        findings.add_fault(doubt)
        return {}
    with_images = _image_folders(grouped, images, layout, labels.settings)
    unlabelled = _unlabelled_test(images, layout)
    found: dict[str, FolderLabel] = {}
    misplaced: dict[str, list[str]] = {}
    for folders, everything in grouped.items():
        is_class = _class_path(folders, layout) in with_images
        # Else there may be a README, or notes beside the class folders.
        paths = everything if is_class else images.get(folders, ())
        label = _folder_label(folders, layout, labels) if paths else ""
        if folders in unlabelled:
            label = FolderLabel("test", None)
            findings.add_note(f"{'/'.join(folders)}/: {len(paths):,} {_NO_CLASS_FOLDERS}")
        if isinstance(label, FolderLabel):
            found |= dict.fromkeys(filter(is_utf8, paths), label)
            paths = [path for path in paths if path not in found]
            label = "expected file names in UTF-8; rename them"
        if paths:
            misplaced.setdefault(label, []).extend(paths)
    for problem, paths in sorted(misplaced.items()):
        findings.add_fault(f"{problem} ({len(paths)} files, the first is {min(paths)!a})")
    if not found and not misplaced:
        findings.add_fault(_no_images(files))
    return found


def _grouped(files: Iterable[str]) -> dict[Parts, list[str]]:
    """Files by their folders, in order."""
    grouped: defaultdict[str, list[str]] = defaultdict(list)
    for path in files:
        folder, slash, _ = path.rpartition("/")
        grouped[folder + slash].append(path)
    return {folders_of(folder): paths for folder, paths in grouped.items()}


def _layout(images: Grouped, settings: LabelSettings) -> Layout:
    """Find the root, the level of the splits and the level of the classes.

    The root is the common folder of all images, above the first split or class folder. The class
    level is the first one below on which most images lie in a folder with a known name (a basic
    emotion, a number, or one of `data.classes`), else the first level at all.
    """
    root = _common_root(list(images), settings)
    below = {parts[len(root) :]: len(paths) for parts, paths in images.items()}
    split_level = next((k for k in (0, 1) if _is_split_level(below, k)), None)
    levels = [k for k in range(max(map(len, below), default=0)) if k != split_level]
    if split_level == 0 and not levels:
        levels = [1]
    scores = [_score(below, k, settings) for k in levels]
    highest = max(scores, default=0)
    best = levels[scores.index(highest)] if levels else 0
    if split_level == 1 and best != 0:
        split_level = None
    is_certain = highest > 0 or len(levels) < 2
    return Layout(root, split_level, best, is_certain)


def _class_path(folders: Parts, layout: Layout) -> Parts:
    """Folders down to the class folder."""
    return folders[: len(layout.root) + layout.class_level + 1]


def _unlabelled_test(images: Grouped, layout: Layout) -> set[Parts]:
    """Test folders without class folders beside others with them, as in a challenge (SFEW)."""
    depth = len(layout.root) + 1
    with_classes = {parts[:depth] for parts in images if len(parts) > depth}
    if layout.split_level != 0 or not with_classes:
        return set()
    flat = {parts for parts in images if len(parts) == depth} - with_classes
    return {parts for parts in flat if split_of(parts[-1]) == "test"}


def _image_folders(
    grouped: Grouped, images: Grouped, layout: Layout, settings: LabelSettings
) -> set[Parts]:
    """The class folders: those with an image, and those with a known name."""
    depth = len(layout.root) + layout.class_level
    return {
        _class_path(parts, layout)
        for parts in grouped
        if len(parts) > depth and (parts in images or _is_known(parts[depth], settings))
    }


def is_split_or_class(folder: str, settings: LabelSettings) -> bool:
    """Whether a folder has the name of a split, or of a class that is known."""
    return split_of(folder) != UNASSIGNED or _is_known(folder, settings)


def _common_root(folders: Sequence[Parts], settings: LabelSettings) -> Parts:
    root: list[str] = []
    for depth, level in enumerate(zip(*folders, strict=False)):
        if len(set(level)) > 1 or split_of(level[0]) != UNASSIGNED:
            break
        if _is_known(level[0], settings) and not _has_classes_below(folders, depth, settings):
            break
        root.append(level[0])
    return tuple(root)


def _has_classes_below(folders: Sequence[Parts], depth: int, settings: LabelSettings) -> bool:
    """Whether a level below has several names, one of them known: the folder above is no class.

    A data set may itself have the name of an emotion (`joyful/train/angry/...`).
    """
    levels = _levels_below(set(folders), depth)
    return any(len(names) > 1 and _known_names(names, settings) for names in levels)


def _levels_below(folders: Collection[Parts], depth: int) -> Iterator[set[str]]:
    """The names of the folders on each level below a folder, without splits."""
    for level in range(depth + 1, _MAX_DEPTH):
        names = {parts[level] for parts in folders if len(parts) > level}
        yield {name for name in names if split_of(name) == UNASSIGNED}


def _known_names(folders: Iterable[str], settings: LabelSettings) -> set[str]:
    return {name for name in map(class_name, folders) if settings.is_known(name)}


def _doubt(grouped: Grouped, images: Grouped, layout: Layout, settings: LabelSettings) -> str:
    """Why it can't be decided which folders are the classes, and what decides it; "" if it can."""
    if not layout.is_certain:
        return (
            "which folders are the classes? None has the name of an emotion; name them with "
            "data.classes=[first,second,...], or name the folder just above them as the source"
        )
    if rival := _rival_level(images, layout, settings):
        return (
            f"two levels of folders have the names of classes, and they differ ({rival!a}); name "
            "the folder just above the classes as the source, or rename the others"
        )
    depth = len(layout.root) + layout.class_level
    folders = {parts for parts in grouped if len(parts) > depth}
    classes = {parts[depth] for parts in folders}
    if len(classes) == 1 and any(len(names) > 1 for names in _levels_below(folders, depth)):
        [only] = classes
        return (
            f"all images lie in {only}/: if that is a data set whose folders are the classes, name "
            f"{only} itself as the source; if it is a class, move its images directly into it"
        )
    return ""


def _rival_level(images: Grouped, layout: Layout, settings: LabelSettings) -> str:
    """An image that lies in folders of two classes, where both levels could be the classes."""
    start = len(layout.root) + layout.class_level
    # One image a folder, the last one, decides as all of them would.
    last = {parts: paths[-1] for parts, paths in images.items()}
    folders = {path: parts for parts, path in sorted(last.items(), key=lambda item: item[1])}
    for level in range(start + 1, _MAX_DEPTH):
        pairs = {
            (class_name(parts[start]), class_name(parts[level])): path
            for path, parts in folders.items()
            if len(parts) > level
        }
        rivals = _known_names({inner for _, inner in pairs}, settings)
        if len(rivals) > 1 and len(_known_names({outer for outer, _ in pairs}, settings)) > 1:
            differing = [
                path for (outer, inner), path in pairs.items() if inner in rivals and inner != outer
            ]
            return min(differing, default="")
    return ""


def _is_split_level(below: Collection[Parts], level: int) -> bool:
    """Whether folders on the first level are splits, or all those on the second (`happy/train`)."""
    names = [parts[level] for parts in below if len(parts) > level]
    if level == 0:
        return any(map(split_of, set(names)))
    return len(names) == len(below) > 0 and all(map(split_of, set(names)))


def _score(below: Mapping[Parts, int], level: int, settings: LabelSettings) -> int:
    """Images whose folder on this level has a known name; names count more than numbers."""
    names: Counter[str] = Counter()
    for parts, num_images in below.items():
        if len(parts) > level:
            names[parts[level]] += num_images
    return sum(
        count * (2 if settings.is_known(class_name(name)) else is_number(name))
        for name, count in names.items()
    )


def _is_known(folder: str, settings: LabelSettings) -> bool:
    return is_number(folder) or settings.is_known(class_name(folder))


def _folder_label(folders: Parts, layout: Layout, labels: LabelReader) -> FolderLabel | str:
    """Split and label according to a file's parent folders, or their problem."""
    start = len(layout.root)
    if folders[:start] != layout.root:
        return "files beside the class folders; move them into one"
    below = folders[start:]
    split = UNASSIGNED
    if layout.split_level is not None:
        level = layout.split_level
        split = split_of(below[level]) if len(below) > level else UNASSIGNED
        if split == UNASSIGNED:
            what = f"folder {'/'.join(folders)}/" if folders else "images"
            return f"{what} beside split folders; move them into train/, validation/ or test/"
    if len(below) <= layout.class_level:
        where = f"in {'/'.join(folders)}/" if folders else "in the folder"
        return (
            f"images directly {where}; move them into one folder a class, such as happy/, or "
            "name their table of labels with data.table.path"
        )
    label = below[layout.class_level]
    _, problem = labels.read(label)
    if problem:
        name = "/".join(folders[: start + layout.class_level + 1])
        return f"class folder {name}/: {problem.removesuffix('; correct it')}; rename it"
    return FolderLabel(split, label)


def _no_images(files: Sequence[str]) -> str:
    tables = [path for path in files if is_table(path)]
    if tables:
        return f"the folder contains no images, but {tables[0]}; name that file itself"
    return (
        "the folder contains no images; name a folder with <class>/ or train/<class>/ in it, "
        "such as happy/ and sad/"
    )
