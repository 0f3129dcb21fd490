"""Pages about models: the champions, the list of all, and everything about one."""

import io
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from threading import Lock
from typing import Any

import pandas as pd

from deployments.pages.files import Files
from deployments.pages.render import render
from fer_models.errors import StoreError
from fer_models.history.model_facts import ModelFacts, model_facts
from fer_models.history.runs import list_runs
from fer_models.history.stored import StoredModel, stored_models
from fer_models.storage.champions import all_champions, described_classes
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.registry import CHAMPION
from fer_models.storage.store import ArtifactStore

MODELS = ModelRef.folder
_CURVE_FILE = "curve.csv"
_CURVE_COLUMNS = {
    "epoch",
    *(
        f"{split}_{quantity}"
        for split in ("train", "validation")
        for quantity in ("loss", "accuracy")
    ),
}
# Matplotlib's settings belong to the whole process, and each request has a thread of its own.
_DRAWING = Lock()
_BADGES = {CHAMPION: ("pass", CHAMPION), "previous": ("warn", "champion before")}


@dataclass(frozen=True)
class ChampionRow:
    """The champion of a class list."""

    alias: str
    model: str
    href: str
    since_s: float
    reason: str
    classes: str


@dataclass(frozen=True)
class Link:
    """A text that leads to a page; without an address it is only a text."""

    text: str
    href: str = ""


def champion_rows(store: ArtifactStore) -> list[ChampionRow]:
    """The champion of every class list; empty if there is none.

    Raises:
        StoreError: the registry can't be read.
    """
    return [
        ChampionRow(
            alias=alias,
            model=entry.model_id,
            href=_model_page(entry.model_id),
            since_s=entry.time_s,
            reason=entry.reason,
            classes=described_classes(entry),
        )
        for alias, entry in sorted(all_champions(store).items())
    ]


def models_page(files: Files, most: int) -> str:
    """The newest models with their accuracies.

    Raises:
        StoreError: the store can't be listed.
    """
    models, warnings = stored_models(files.store)
    return render(
        "models.html.j2",
        store=files.store.url,
        models=models[:most],
        more=max(len(models) - most, 0),
        badges=_BADGES,
        damaged=warnings,
    )


def facts_of_model(files: Files, model_id: str) -> dict[str, Any] | None:
    """The variables of a model's page; None for one whose files can't be read.

    Raises:
        NotServedError: there is no such model.
    """
    artifact = files.artifact(MODELS, model_id)
    store = files.store
    name = str(artifact.info.get("name", model_id))
    try:
        facts = model_facts(store, store.ref(ModelRef, model_id, name=name))
        runs = _run_links(store, facts.model.runs)
    except StoreError:
        return None
    return {
        "facts": facts,
        "badge": _BADGES.get(facts.model.role),
        "about": _about(facts),
        "members": [Link(one["name"], _model_page(one["model_id"])) for one in facts.members],
        "runs": runs,
        "commands": _commands(store, facts.model),
        "curve": _curve(files, model_id),
    }


def _about(facts: ModelFacts) -> dict[str, list[Link]]:
    """What a model is and where it comes from; without what is unknown."""
    model, bundle = facts.model, facts.bundle
    data = [] if bundle or not model.snapshot else [model.snapshot]
    found = {
        "Network": [Link(model.network or "")],
        "Classes": [Link(", ".join(facts.classes))],
        "Trained on": [Link(one, f"/{SnapshotRef.folder}/{one}/") for one in data],
        "Seed": [Link("" if model.seed is None else str(model.seed))],
        "Started from": [Link("" if facts.members else facts.started_from)],
        "Average of": [Link(one, _model_page(one)) for one in facts.averaged],
        "Imported from": [Link(f"bundle {bundle['name']} of {bundle['date']}" if bundle else "")],
        "Teachers": [
            *(Link(one, _model_page(one)) for one in facts.teachers),
            *map(Link, facts.shipped_teachers),
        ],
        "Code": [Link(facts.code)],
    }
    shown = {name: [link for link in links if link.text] for name, links in found.items()}
    return {name: links for name, links in shown.items() if links}


def _run_links(store: ArtifactStore, run_ids: Collection[str]) -> list[Link]:
    """The runs that made or used a model, the newest first, with their reports."""
    runs = [run for run in list_runs(store).runs if run.id in run_ids]
    return [
        Link(
            f"{run.name or run.id}, {run.id}",
            f"/runs/{run.artifacts.report}/" if run.artifacts.report else "",
        )
        for run in runs
    ]


def _commands(store: ArtifactStore, model: StoredModel) -> list[str]:
    """What is done with a model, from the command line."""
    tail = f"--store {shlex.quote(store.url)}"
    return [
        f"ferflow predict PICTURE --model {model.id} {tail}",
        f"ferflow models card {model.id} {tail}",
        f"ferflow models export {model.id} FOLDER {tail}",
        *(
            []
            if model.role == CHAMPION
            else [f"ferflow models promote {model.id} --reason TEXT {tail}"]
        ),
    ]


def _curve(files: Files, model_id: str) -> str:
    """Loss and accuracy by epoch as SVG; empty for a model that has no such table."""
    from fer_models.reporting.charts.models import curves_chart

    if _CURVE_FILE not in files.artifact(MODELS, model_id).files:
        return ""
    curve = pd.read_csv(io.BytesIO(files.read(MODELS, model_id, _CURVE_FILE).data))
    if not set(curve.columns) >= _CURVE_COLUMNS:
        return ""
    with _DRAWING:
        return curves_chart({str(files.artifact(MODELS, model_id).info.get("name")): curve})


def _model_page(model_id: str) -> str:
    return f"/{MODELS}/{model_id}/"
