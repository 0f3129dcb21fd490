"""Label Studio's JSON export as decisions: one answer a face, by the majority of the annotators.

Format: https://labelstud.io/guide/export and https://labelstud.io/guide/task_format. An annotation
has `result` (with `value.choices`), `completed_by` (a number, or an object with `id`),
`was_cancelled` (skipped) and `ground_truth` (a reference answer, which decides alone).
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

import pandas as pd

from fer_models.errors import DataError
from fer_models.review.decisions_file import COLUMNS, DECISION_DTYPES, DROP, RELABEL
from fer_models.selection.label_studio.tasks import CHOICES_TAG, NOT_A_FACE

_MAX_SHOWN = 50
_MAX_BYTES = 1 << 30
_SUFFIX = ".json"


@dataclass(frozen=True)
class Answers:
    """The decisions, and notes about tasks without one."""

    decisions: pd.DataFrame
    """Columns and types are `DECISION_DTYPES`."""
    notes: tuple[str, ...] = ()


@dataclass
class _Export:
    rows: list[dict[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    num_skipped: int = 0
    num_open: int = 0
    seen: set[str] = field(default_factory=set)


def is_label_studio(path: Path) -> bool:
    """Whether a file of decisions is a JSON export, by its name."""
    return path.suffix.lower() == _SUFFIX


def read_annotations(path: Path) -> Answers:
    """Read a JSON export; the answer of most annotators of a face counts.

    Without a majority (two of four, one of two) a face gets no decision, and a note. Skipped tasks
    and tasks without an annotation are counted. Of several annotations by one person, the last
    counts.

    Raises:
        DataError: the file is no such export, or has unknown labels; lists all problems.

    Example:
        answers = read_annotations(Path("project-1-at-2026-11-28-15-30-0a1b2c3d.json"))
        answers.decisions["label"].value_counts(), answers.notes
    """
    export = _Export()
    for number, task in enumerate(_tasks(path), start=1):
        _read_task(f"task {task.get('id', number)}", task, export)
    if export.problems:
        shown = export.problems[:_MAX_SHOWN]
        if len(export.problems) > _MAX_SHOWN:
            shown.append(f"... and {len(export.problems) - _MAX_SHOWN} more")
        raise DataError(f"{path}: annotations that can't be used", shown)
    table = pd.DataFrame(export.rows, columns=list(COLUMNS)).astype(DECISION_DTYPES)
    return Answers(table, tuple(_notes(export)))


def _tasks(path: Path) -> list[Mapping[str, Any]]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DataError(f"{path}: expected an export of at most {_MAX_BYTES >> 20} MiB")
        content = json.loads(path.read_text("utf-8"))
        json.dumps(content, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except OSError as error:
        raise DataError(f"{path}: can't read the export ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected a JSON export of Label Studio ({error})") from error
    is_list = isinstance(content, list) and all(isinstance(task, dict) for task in content)
    if not is_list or not all(isinstance(task.get("annotations"), list) for task in content):
        raise DataError(
            f"{path}: expected a list of tasks, each with annotations; export the project as JSON "
            "(not JSON-MIN or CSV)"
        )
    tasks: list[Mapping[str, Any]] = content
    return tasks


def _read_task(where: str, task: Mapping[str, Any], export: _Export) -> None:
    data = task.get("data")
    face_id = data.get("image_id") if isinstance(data, dict) else None
    classes = data.get("classes") if isinstance(data, dict) else None
    if not isinstance(face_id, str) or not _are_names(classes):
        export.problems.append(
            f"{where}: expected data.image_id and data.classes, as `ferflow review --label-studio` "
            "writes them; import those tasks"
        )
        return
    if face_id in export.seen:
        export.problems.append(f"{where}: {face_id} has another task; export one project")
        return
    export.seen.add(face_id)
    votes = _votes(f"{where} ({face_id})", task["annotations"], {*classes, NOT_A_FACE}, export)
    if not votes:
        return
    label, count = votes.most_common(1)[0]
    total = votes.total()
    if 2 * count <= total:
        answers = ", ".join(f"{name} {votes[name]}" for name in sorted(votes))
        export.conflicts.append(f"{face_id}: no majority ({answers})")
        return
    is_face = label != NOT_A_FACE
    export.rows.append(
        {
            "image_id": face_id,
            "pixel_sha256": str(data.get("pixel_sha256", "")) if isinstance(data, dict) else "",
            "action": RELABEL if is_face else DROP,
            "label": label if is_face else "",
            "note": f"Label Studio, {count} of {total}",
        }
    )


def _are_names(classes: Any) -> TypeGuard[list[str]]:
    return isinstance(classes, list) and all(isinstance(name, str) for name in classes)


def _votes(
    where: str, annotations: list[Any], allowed: set[str], export: _Export
) -> "Counter[str]":
    """The answers of all annotators, or of the reference answers if there are any."""
    usable = [one for one in annotations if isinstance(one, dict)]
    given = [one for one in usable if not one.get("was_cancelled")]
    last = {_annotator(one): one for one in sorted(given, key=_time)}
    answers = [(one, choice) for one in last.values() if (choice := _choice(one)) is not None]
    unknown = sorted({choice for _, choice in answers if choice not in allowed})
    if unknown:
        export.problems.append(
            f"{where}: unknown label {', '.join(map(repr, unknown))}; expected one of "
            f"{', '.join(sorted(allowed))}"
        )
        return Counter()
    if not answers:
        export.num_skipped += len(given) < len(usable)
        export.num_open += len(given) == len(usable)
        return Counter()
    references = [(one, choice) for one, choice in answers if one.get("ground_truth")]
    return Counter(choice for _, choice in references or answers)


def _choice(annotation: Mapping[str, Any]) -> str | None:
    """The chosen label; None if nothing was chosen."""
    results = annotation.get("result")
    for result in results if isinstance(results, list) else ():
        if isinstance(result, dict) and result.get("from_name") == CHOICES_TAG:
            value = result.get("value")
            choices = value.get("choices") if isinstance(value, dict) else None
            if isinstance(choices, list) and choices:
                return " + ".join(map(str, choices))  # several are no answer, and thus unknown
    return None


def _annotator(annotation: Mapping[str, Any]) -> str:
    """Who annotated; an annotation without that counts as another person's."""
    person = annotation.get("completed_by")
    if isinstance(person, dict):
        person = person.get("id")
    return f"annotation {annotation.get('id')}" if person is None else f"person {person}"


def _time(annotation: Mapping[str, Any]) -> str:
    return str(annotation.get("updated_at") or annotation.get("created_at") or "")


def _notes(export: _Export) -> list[str]:
    notes = [*export.conflicts]
    if export.num_skipped:
        notes.append(f"{export.num_skipped} skipped")
    if export.num_open:
        notes.append(f"{export.num_open} without an answer")
    return notes
