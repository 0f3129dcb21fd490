"""`ferflow review --unlabelled`: the faces to label next, as a page or as tasks of Label Studio."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments.cli.output import Produced, print_facts, progress_display
from fer_models.output_file import HTML_SUFFIXES, check_output, write_output
from fer_models.storage.store import ArtifactStore

if TYPE_CHECKING:
    from fer_models.selection.choose import Selection

TASKS_FILE = "tasks.json"
CONFIG_FILE = "labeling-config.xml"


def write_unlabelled(
    store: ArtifactStore,
    paths: tuple[str, ...],
    model: str,
    settings: dict[str, Any],
    out: Path,
    store_url: str | None,
    label_studio: Path | None = None,
    local_files: str | None = None,
) -> Produced:
    """Choose faces, and write the page, or the tasks for Label Studio.

    Raises:
        FerError: the input is wrong, or a file can't be written.
    """
    if label_studio is None:
        check_output(out, HTML_SUFFIXES)
    else:
        check_output(label_studio / TASKS_FILE)
    from fer_models.selection.choose import choose_faces
    from fer_models.selection.config import SelectionConfig

    with progress_display():
        selection = choose_faces(store, paths, model, SelectionConfig(**settings))
    command = ["ferflow", "task", "ingest", *(["--store", store.url] if store_url else [])]
    if label_studio is None:
        written = _write_page(store, selection, out, shlex.join(command))
    else:
        written = _write_tasks(store, selection, label_studio, local_files)
    produced: Produced = {**selection.facts, **written}
    _show(produced, shlex.join(command))
    return produced


def _write_page(store: ArtifactStore, selection: "Selection", out: Path, command: str) -> Produced:
    from fer_models.review.page import saved_name
    from fer_models.selection.page import page_of

    text = page_of(store, selection.ref, command)
    write_output(check_output(out), text)
    return {"path": str(out.absolute()), "file": saved_name(selection.ref.id)}


def _write_tasks(
    store: ArtifactStore, selection: "Selection", folder: Path, local_files: str | None
) -> Produced:
    from fer_models.selection.label_studio.tasks import labeling_config, tasks_of
    from fer_models.storage.json_bytes import json_bytes

    tasks = tasks_of(store, selection.ref, local_files)
    write_output(folder / TASKS_FILE, json_bytes(tasks, sort_keys=False))
    write_output(folder / CONFIG_FILE, labeling_config(selection.facts["classes"]))
    return {"path": str(folder.absolute()), "tasks": len(tasks), "file": "EXPORT.json"}


def _show(facts: Produced, command: str) -> None:
    shown = {
        "model": facts["model"],
        "chosen": f"{facts['chosen']} of {facts['candidates']} faces, by {facts['by']}",
    }
    left_out = {
        "known already": facts["known"],
        "repeated": facts["copies"],
        "unreadable": len(facts["skipped"]),
    }
    texts = [f"{count} {name}" for name, count in left_out.items() if count]
    if texts:
        shown["left out"] = ", ".join(texts)
    if "tasks" in facts:
        shown["tasks"] = f"{facts['path']}/{TASKS_FILE}, {CONFIG_FILE}"
        steps = f"create a project with {CONFIG_FILE}, import {TASKS_FILE}, label, export as JSON"
    else:
        shown["page"] = facts["path"]
        steps = "open the page, label, save"
    shown["next"] = f"{steps}, then run {command} --decisions {facts['file']}"
    print_facts(shown)
