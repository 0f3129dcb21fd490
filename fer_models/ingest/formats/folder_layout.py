"""Split and label of an image by its folders: `[<split>/]<class>/...`."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from fer_models.dataset.snapshot import UNASSIGNED
from fer_models.errors import DataError
from fer_models.ingest.files.detection import is_image, is_table, is_utf8
from fer_models.ingest.findings import Findings
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


@dataclass(frozen=True)
class FolderLabel:
    """Split and label of an image, according to its folders."""

    split: str
    label: int


def folder_labels(files: list[str], findings: Findings) -> dict[str, FolderLabel]:
    """Split and label of each file in a class folder; misplaced images become faults.

    Args:
        files: relative POSIX paths.
        findings: receives the faults of the layout.
    """
    tops = {PurePosixPath(path).parts[0].lower() for path in files if "/" in path}
    has_splits = not tops.isdisjoint(SPLIT_FOLDERS)
    labels: dict[str, FolderLabel] = {}
    misplaced: dict[str, list[str]] = {}
    for path in files:
        label = _folder_label(PurePosixPath(path).parts[:-1], has_splits)
        if isinstance(label, FolderLabel) and is_utf8(path):
            labels[path] = label
        elif isinstance(label, FolderLabel):
            misplaced.setdefault("expected file names in UTF-8; rename them", []).append(path)
        elif is_image(path):  # other files, such as a README, may lie beside the class folders
            misplaced.setdefault(label, []).append(path)
    for problem, paths in sorted(misplaced.items()):
        findings.add_fault(f"{problem} ({len(paths)} files, the first is {paths[0]!a})")
    if not labels and not misplaced:
        findings.add_fault(_no_images(files))
    return labels


def _folder_label(folders: tuple[str, ...], has_splits: bool) -> FolderLabel | str:
    """Split and label according to a file's parent folders, or their problem."""
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
        return FolderLabel(split, int(parse_expression(class_folders[0])))
    except DataError as error:
        name = "/".join(folders[: len(folders) - len(class_folders) + 1])
        return f"class folder {name}/: {error.message}; rename it or move it away"


def _no_images(files: list[str]) -> str:
    tables = [path for path in files if is_table(path)]
    if tables:
        return f"the folder contains no images, but {tables[0]}; name that file itself"
    return (
        "the folder contains no images; name a folder with <class>/ or train/<class>/ in it, "
        f"classes {', '.join(CLASS_NAMES)}"
    )
