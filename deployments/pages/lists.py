"""The pages that the server makes itself: lists of artifacts, and what an artifact holds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployments.pages.files import CONTENT_TYPES, Files, NotServedError, is_shown
from deployments.pages.history import MOST_RUNS, run_rows
from deployments.pages.models import MODELS, champion_rows, facts_of_model, models_page
from deployments.pages.render import render
from fer_models.errors import StoreError
from fer_models.history.comparison.page import moment
from fer_models.reporting.view import percent
from fer_models.storage.refs import ARTIFACT_KINDS

_NEWEST = 10
_MOST = 500
_TITLES = {
    "runs": "Reports",
    "explorations": "Explorations of the data",
    "validations": "Data gate",
    "reviews": "Reviews by a person",
}
_NAMES = ("name", "step", "model_name", "member")
_SHARES = ("accuracy", "validation_accuracy")
_COUNTS = {
    "num_images": "images",
    "kept": "kept",
    "images": "images",
    "decided": "decided",
    "num_errors": "errors",
    "num_warnings": "warnings",
}
_SUFFIXES = ", ".join(CONTENT_TYPES)


@dataclass(frozen=True)
class Row:
    """An artifact in a list."""

    href: str
    id: str
    written: str
    facts: str
    badge: tuple[str, str] | None
    """Kind (pass, warn, fail) and text."""


def front_page(files: Files) -> str:
    """The champions, the newest runs, and their reports, explorations, validations and reviews."""
    sections = [_section(files, folder, _NEWEST) for folder in _TITLES]
    others = [kind.folder for kind in ARTIFACT_KINDS if kind.folder not in _TITLES]
    runs = run_rows(files.store, _NEWEST)
    return render(
        "front.html.j2",
        store=files.store.url,
        champions=champion_rows(files.store),
        runs=runs,
        sections=sections,
        others=others,
    )


def history_page(files: Files) -> str:
    """All runs, newest first."""
    return render("history.html.j2", store=files.store.url, runs=run_rows(files.store, MOST_RUNS))


def list_page(files: Files, folder: str) -> str:
    """The artifacts of a kind, newest first; models with what they reach."""
    if folder == MODELS:
        return models_page(files, _MOST)
    return render("list.html.j2", store=files.store.url, section=_section(files, folder, _MOST))


def artifact_page(files: Files, folder: str, artifact_id: str) -> str:
    """The files of an artifact, and its metadata; of a model also all that is known about it."""
    artifact = files.artifact(folder, artifact_id)
    facts = facts_of_model(files, artifact_id) if folder == MODELS else None
    return render(
        "artifact.html.j2" if facts is None else "model.html.j2",
        **(facts or {}),
        folder=folder,
        id=artifact_id,
        url=f"{files.store.url}/{folder}/{artifact_id}",
        files=[
            {"name": name, "size": _size(entry.size), "shown": is_shown(name)}
            for name, entry in artifact.files.items()
        ],
        suffixes=_SUFFIXES,
        info=json.dumps(artifact.info, indent=2, ensure_ascii=False),
    )


def message_page(title: str, message: str) -> str:
    """A page with one message, such as an error."""
    return render("message.html.j2", title=title, message=message)


def _section(files: Files, folder: str, most: int) -> dict[str, Any]:
    newest = sorted(files.times(folder).items(), key=lambda item: (-item[1], item[0]))
    return {
        "folder": folder,
        "title": _TITLES.get(folder, folder.capitalize()),
        "rows": [_row(files, folder, *item) for item in newest[:most]],
        "more": max(len(newest) - most, 0),
    }


def _row(files: Files, folder: str, artifact_id: str, time_s: float) -> Row:
    try:
        info = files.artifact(folder, artifact_id).info
        facts, badge = _facts(info), _badge(info)
    except (StoreError, NotServedError):
        facts, badge = "", ("fail", "damaged")
    return Row(
        href=f"/{folder}/{artifact_id}/",
        id=artifact_id,
        written=moment(time_s),
        facts=facts,
        badge=badge,
    )


def _facts(info: Mapping[str, Any]) -> str:
    """What distinguishes an artifact, from its metadata."""
    parts = [str(info[key]) for key in _NAMES if info.get(key)]
    snapshot = info.get("snapshot_id") or info.get("snapshot")
    if isinstance(snapshot, str):
        parts.append(f"snapshot {snapshot[:12]}")
    numbers = {key: info[key] for key in _COUNTS if isinstance(info.get(key), int)}
    parts += [f"{count:,} {_COUNTS[key]}" for key, count in numbers.items()]
    shares = {key: info[key] for key in _SHARES if isinstance(info.get(key), float)}
    parts += [f"{key.replace('_', ' ')} {percent(share)}" for key, share in shares.items()]
    return ", ".join(parts)


def _badge(info: Mapping[str, Any]) -> tuple[str, str] | None:
    if "promoted" in info:
        usual = "promoted" if info["promoted"] else "not promoted"
        return ("pass" if info["promoted"] else "warn"), str(info.get("verdict", usual))
    if "passed" in info:
        return ("pass", "passed") if info["passed"] else ("fail", "rejected")
    return None


def _size(num_bytes: int) -> str:
    return f"{num_bytes:,} bytes" if num_bytes < 10_000 else f"{num_bytes / 1000:,.0f} kB"
