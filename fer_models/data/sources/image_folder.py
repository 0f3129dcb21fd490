"""A folder of face images: `<root>/<class>/*`, or `train/<class>/*` and `test/<class>/*`.

Only the folders' names say what an image is: split folder (train, training, validation, val,
valid, test, testing), then class folder (`happy`, `happiness`, `3`), then files at any depth.
"""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fer_models.data.snapshot import UNASSIGNED
from fer_models.data.sources.findings import Findings
from fer_models.data.sources.image_bytes import IMAGE_SUFFIXES, decode_files
from fer_models.data.sources.locate import is_utf8
from fer_models.data.sources.source_table import SourceTable, TableBuilder
from fer_models.errors import DataError
from fer_models.labels import CLASS_NAMES, parse_expression

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "publictest": "validation",
    "test": "test",
    "testing": "test",
    "privatetest": "test",
}
# What file managers leave in folders of images.
_LITTER = {"thumbs.db", "desktop.ini", "__macosx"}


@dataclass(frozen=True)
class _Place:
    split: str
    label: int


def list_files(root: Path, findings: Findings) -> list[str]:
    """All files below the folder as sorted relative POSIX paths, without hidden ones.

    Links to folders are followed, but not in circles. A folder that can't be listed is noted.
    """

    def note(error: OSError) -> None:
        findings.refuse(
            f"{error.filename} can't be listed ({error.strerror}); give this user read access"
        )

    found: list[str] = []
    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=note):
        here = Path(folder)
        subfolders[:] = [name for name in subfolders if _counts(name) and not _loops(here / name)]
        relative = here.relative_to(root)
        found += [(relative / name).as_posix() for name in names if _counts(name)]
    return sorted(found)


def read_image_folder(root: Path, findings: Findings) -> SourceTable | None:
    """Read a folder of images; each becomes grey and 48 x 48.

    Args:
        root: the folder.
        findings: takes everything that is wrong with it.

    Returns:
        Its usable images in the order of their relative paths, or None when the folder's layout
        is none of the known ones.
    """
    places = _places(list_files(root, findings), findings)
    if findings.faults:
        return None
    files = sorted(places)
    builder = TableBuilder()
    decoded = decode_files([root / path for path in files], root.name)
    for row, (path, outcome) in enumerate(zip(files, decoded, strict=True)):
        if isinstance(outcome, str):
            findings.set_aside(row, path, [outcome], path)
            continue
        place = places[path]
        builder.add_images(outcome[None])
        builder.add_fields(row, place.label, place.split, path)
    return builder.table(len(files))


def _places(files: list[str], findings: Findings) -> dict[str, _Place]:
    """Split and label of each file in a class folder; what else lies there is noted."""
    tops = {PurePosixPath(path).parts[0].lower() for path in files if "/" in path}
    has_splits = not tops.isdisjoint(SPLIT_FOLDERS)
    places: dict[str, _Place] = {}
    misplaced: dict[str, list[str]] = {}
    for path in files:
        place = _place(PurePosixPath(path).parts[:-1], has_splits)
        if isinstance(place, _Place) and is_utf8(path):
            places[path] = place
        elif isinstance(place, _Place):
            misplaced.setdefault("expected file names in UTF-8; rename them", []).append(path)
        elif _is_image(path):  # a README or licence beside the class folders is welcome
            misplaced.setdefault(place, []).append(path)
    for problem, paths in sorted(misplaced.items()):
        findings.refuse(f"{problem} ({len(paths)} files, the first is {paths[0]!a})")
    if not places and not misplaced:
        findings.refuse(_no_images(files))
    return places


def _place(folders: tuple[str, ...], has_splits: bool) -> _Place | str:
    """What the folders above a file say of it, or what is wrong with them."""
    split = UNASSIGNED
    class_folders = folders
    if has_splits:
        if not folders or folders[0].lower() not in SPLIT_FOLDERS:
            what = f"folder {folders[0]}/" if folders else "images"
            return f"{what} beside split folders; move them into train/, validation/ or test/"
        split, class_folders = SPLIT_FOLDERS[folders[0].lower()], folders[1:]
    if not class_folders:
        where = f"in {folders[0]}/" if folders else "in the folder"
        return f"images directly {where}; move them into class folders ({', '.join(CLASS_NAMES)})"
    try:
        return _Place(split, int(parse_expression(class_folders[0])))
    except DataError as error:
        name = "/".join(folders[: len(folders) - len(class_folders) + 1])
        return f"class folder {name}/: {error.message}; rename it or move it away"


def _no_images(files: list[str]) -> str:
    tables = [path for path in files if path.endswith((".csv", ".parquet"))]
    if tables:
        return f"the folder holds no images, but {tables[0]}; name that file itself"
    return (
        "the folder holds no images; name a folder with <class>/ or train/<class>/ in it, classes "
        f"{', '.join(CLASS_NAMES)}"
    )


def _counts(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in _LITTER


def _loops(folder: Path) -> bool:
    """Whether the folder is a link to one that holds it."""
    here = folder.parent.resolve()
    return folder.is_symlink() and folder.resolve() in (here, *here.parents)


def _is_image(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in IMAGE_SUFFIXES
