"""What the labels of the sources became, in lines for people."""

from collections.abc import Mapping
from typing import Any

from fer_models.classes.class_list import ClassList
from fer_models.classes.schemes import SCHEMES, is_number

_NUM_SHOWN = 12


def label_lines(info: Mapping[str, Any]) -> list[str]:
    """One line for the classes unless they are FER2013's, and one for each source's labels.

    Args:
        info: metadata of a snapshot, with `classes` and `label_sources`.

    Example:
        label_lines(store.info(snapshot))
        # ["classes: happy, sad, bored", "faces: read joy as happy"]
    """
    classes = ClassList.from_info(info)
    lines = [] if classes.is_fer2013 else [f"classes: {', '.join(classes.names)}"]
    return lines + source_lines(info)


def source_lines(info: Mapping[str, Any]) -> list[str]:
    """What became of numbers and other names in each source, and what reading it noted."""
    lines = []
    for source in info.get("label_sources", ()):
        parts = [_numbering(source), _renaming(source["labels"])]
        if any(parts):
            lines.append(f"{source['source']}: {'; '.join(part for part in parts if part)}")
        lines += [f"{source['source']}: {note}" for note in source.get("notes", ())]
    return lines


def _numbering(source: Mapping[str, Any]) -> str:
    scheme = source["scheme"]
    if not scheme:
        return ""
    if scheme in SCHEMES:
        return f"numbers read as {SCHEMES[scheme].title}'s ({SCHEMES[scheme].described()})"
    numbers = {text: name for text, name in source["labels"].items() if is_number(text)}
    read = ", ".join(f"{text} {name}" for text, name in sorted(numbers.items()) if name)
    by = "the names in the file" if scheme == "file" else "data.label_scheme"
    return f"numbers read by {by} ({read})"


def _renaming(labels: Mapping[str, str | None]) -> str:
    words = {text: name for text, name in labels.items() if not is_number(text)}
    renamed = [f"{text} as {name}" for text, name in words.items() if name is not None]
    dropped = [text for text, name in labels.items() if name is None]
    parts = []
    if renamed:
        parts.append(f"read {_few(renamed)}")
    if dropped:
        parts.append(f"left out {_few(dropped)}")
    return "; ".join(parts)


def _few(texts: list[str]) -> str:
    shown = ", ".join(texts[:_NUM_SHOWN])
    more = len(texts) - _NUM_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
