"""Explore a snapshot: statistics, plots and sample faces as one HTML page and PNG files."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from fer_models.classes.class_list import ClassList
from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.exploration import charts, facts, pixels
from fer_models.exploration.examples import Examples
from fer_models.exploration.page import PACKAGE, render_page
from fer_models.exploration.votes import vote_facts
from fer_models.labels import UNLABELLED
from fer_models.plotting.figure import RenderedFigure
from fer_models.plotting.page import templates_hash
from fer_models.progress import report
from fer_models.source_hash import source_hash
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import ExplorationRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

# The source of this module and of all its imports is part of the exploration id.
_ENTRY = "fer_models.exploration.explore"

REPORT_FILE = "report.html"
SUMMARY_FILE = "summary.json"
# Groups of `pixels.scan` after the kept images of each of the K classes: kept unlabelled images
# (K) and quarantined ones (K + 1).
_NUM_OTHER_GROUPS = 2


def explore_snapshot(store: ArtifactStore, snapshot: SnapshotRef) -> ExplorationRef:
    """Explore a raw, cleaned or split snapshot: classes, grey values, faces, quarantine, votes.

    The artifact holds `report.html` (self-contained), every figure as PNG, and `summary.json`
    with all numbers (see `summarise`). Its id hashes the snapshot id, the code and the templates,
    so exploring the same snapshot again returns the existing artifact.

    Raises:
        StoreError: the snapshot is absent or damaged, or the store can't be written.

    Example:
        exploration = explore_snapshot(store, snapshot)
        summary = store.read_json(exploration, "summary.json")
        print(exploration.report_url, summary["images"])
    """
    exploration = _exploration_ref(store, snapshot)
    if store.reuse(exploration):
        return exploration
    opened = open_snapshot(store, snapshot)
    rows = facts.image_rows(store, opened)
    num_groups = len(opened.classes) + _NUM_OTHER_GROUPS
    sums = pixels.scan(opened.thumbnails, _groups(rows, opened.classes), num_groups)
    summary = summarise(opened, rows, sums)
    figures = _render_figures(opened, rows, sums, summary)
    page = render_page(summary, figures)
    return store.put(
        ExplorationRef,
        exploration.id,
        {
            REPORT_FILE: page.encode(),
            SUMMARY_FILE: json_bytes(summary, sort_keys=False),
            **{figure.file: figure.png for figure in figures.values()},
        },
        {
            "snapshot_id": snapshot.id,
            "step": summary["step"],
            **summary["images"],
            "mean": summary["pixels"]["all"]["mean"],
            "std": summary["pixels"]["all"]["std"],
            "plots": [figure.file for figure in figures.values()],
        },
        report_url=exploration.report_url,
    )


def summarise(
    snapshot: DatasetSnapshot, rows: pd.DataFrame, sums: pixels.PixelSums
) -> dict[str, Any]:
    """All numbers of the exploration, as plain JSON values.

    Args:
        snapshot: the snapshot.
        rows: its images, as `facts.image_rows` returns them.
        sums: its pixel sums, with the kept images of each class as groups 0..K-1.

    Returns:
        `snapshot`, `step`, `parent`: ids, and the step that wrote the snapshot.
        `images`: counts.
        `classes`: see `facts.class_table`.
        `reasons`: see `facts.reason_table`.
        `pixels`: see `pixels.describe`; by `all`, `kept`, `quarantined` and class (kept images
            only), None for an empty group.
        `histograms`: number of pixels by grey value (256), for the same groups.
        `copies`: exact duplicates, `before` and `after` (see `facts.duplicate_counts`).
        `labels`: number of `relabelled` images and of quarantined label `errors`.
        `near_copies`: number of quarantined near duplicates.
        `votes`, `votes_kept`: see `votes.vote_facts`; all images and kept ones.
    """
    kept = rows["kept"].to_numpy()
    return {
        "snapshot": snapshot.ref.id,
        "step": snapshot.info.get("step"),
        "parent": snapshot.info.get("parent"),
        "images": {
            "num_images": len(rows),
            "kept": int(kept.sum()),
            "quarantined": int((~kept).sum()),
            "unlabelled": int((rows["given"] == UNLABELLED).sum()),
        },
        "classes": facts.class_table(rows, snapshot.classes),
        "reasons": facts.reason_table(rows),
        "pixels": _pixel_statistics(rows, sums, snapshot.classes),
        "histograms": _histograms(sums, snapshot.classes),
        "copies": {
            "before": facts.duplicate_counts(rows, "given"),
            "after": facts.duplicate_counts(rows[rows["kept"]], "label"),
        },
        "labels": {
            "relabelled": int(facts.relabelled(rows).sum()),
            "errors": int(facts.label_errors(rows).sum()),
        },
        "near_copies": int(facts.near_duplicates(rows).sum()),
        "votes": vote_facts(rows, "given", snapshot.classes),
        "votes_kept": vote_facts(rows[rows["kept"]], "label", snapshot.classes),
    }


def _exploration_ref(store: ArtifactStore, snapshot: SnapshotRef) -> ExplorationRef:
    digest = hashlib.sha256(f"{snapshot.id} {source_hash(_ENTRY)}".encode())
    digest.update(templates_hash(PACKAGE).encode())
    exploration_id = digest.hexdigest()[:24]
    report_url = f"{store.artifact_url(ExplorationRef, exploration_id)}/{REPORT_FILE}"
    return store.ref(ExplorationRef, exploration_id, report_url=report_url)


def _groups(rows: pd.DataFrame, classes: ClassList) -> pixels.Ints:
    kept_unlabelled, quarantined = len(classes), len(classes) + 1
    label = rows["label"].to_numpy(dtype=np.int64)
    group = np.where(label >= 0, label, kept_unlabelled)
    return np.where(rows["kept"].to_numpy(), group, quarantined).astype(np.int64)


def _pixel_statistics(
    rows: pd.DataFrame, sums: pixels.PixelSums, classes: ClassList
) -> dict[str, Any]:
    kept = rows["kept"].to_numpy()
    masks = {"all": np.ones(len(rows), dtype=bool), "kept": kept, "quarantined": ~kept}
    masks |= {name: sums.group == number for number, name in enumerate(classes.names)}
    return {name: pixels.describe(sums, mask) for name, mask in masks.items()}


def _histograms(sums: pixels.PixelSums, classes: ClassList) -> dict[str, list[int]]:
    quarantined = len(classes) + 1
    counts = {
        "all": sums.histograms.sum(axis=0),
        "kept": sums.histograms[:quarantined].sum(axis=0),
        "quarantined": sums.histograms[quarantined],
    }
    counts |= {name: sums.histograms[number] for number, name in enumerate(classes.names)}
    return {name: one.tolist() for name, one in counts.items()}


def _render_figures(
    snapshot: DatasetSnapshot, rows: pd.DataFrame, sums: pixels.PixelSums, summary: dict[str, Any]
) -> dict[str, RenderedFigure]:
    """All figures that have something to show, by name."""
    by_class = {name: one for name in snapshot.classes.names if (one := summary["pixels"][name])}
    histograms = {"all kept": np.array(summary["histograms"]["kept"])}
    histograms |= {name: np.array(summary["histograms"][name]) for name in by_class}
    values = {
        "mean": (sums.mean, 256),
        "standard deviation": (sums.std, 128),
        "minimum": (sums.darkest.astype(np.float64), 256),
        "maximum": (sums.brightest.astype(np.float64), 256),
    }
    examples = Examples(snapshot, rows, sums)
    votes = summary["votes"]
    labelled = any(row["before"] or row["after"] for row in summary["classes"])
    renderers: list[Callable[[], RenderedFigure | None]] = [
        lambda: charts.class_chart(summary["classes"]) if labelled else None,
        lambda: charts.split_chart(summary["classes"]) if labelled else None,
        lambda: charts.histogram_chart(histograms, len(snapshot.classes)),
        lambda: charts.image_chart(values, rows["kept"].to_numpy()),
        lambda: charts.spread_chart(by_class) if by_class else None,
        examples.mean_faces,
        examples.samples,
        examples.quarantine,
        examples.conflicts,
        examples.near_duplicates,
        examples.label_errors,
        examples.relabelled,
        examples.doubtful,
        lambda: charts.vote_chart(votes, snapshot.classes.is_fer2013) if votes else None,
    ]
    figures: dict[str, RenderedFigure] = {}
    for number, render in enumerate(renderers):
        report("explore", number, len(renderers), "plots")
        figure = render()
        if figure is not None:
            figures[figure.name] = figure
    report("explore", len(renderers), len(renderers), "plots")
    return figures
