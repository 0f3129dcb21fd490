"""Explore a snapshot: figures, plots and pictures of its images as one HTML page and PNG files."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.exploration import charts, facts, pixels
from fer_models.exploration.examples import Examples
from fer_models.exploration.page import TEMPLATES, render_page
from fer_models.exploration.votes import vote_facts
from fer_models.labels import CLASS_NAMES, NUM_CLASSES, UNLABELLED
from fer_models.plotting.figure import Drawing
from fer_models.progress import report
from fer_models.source_hash import source_hash
from fer_models.storage.refs import ExplorationRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

# Its source, and that of all it imports, is part of what a result depends on.
_ENTRY = "fer_models.exploration.explore"

REPORT_FILE = "report.html"
SUMMARY_FILE = "summary.json"
# Groups of the pass over the pixels: the kept images of each class, then these.
_KEPT_UNLABELLED = NUM_CLASSES
_HELD = NUM_CLASSES + 1
_NUM_GROUPS = NUM_CLASSES + 2


def explore_snapshot(store: ArtifactStore, snapshot: SnapshotRef) -> ExplorationRef:
    """Look at a raw, cleaned or split snapshot: classes, grey values, faces, quarantine, votes.

    The artifact holds `report.html` (one file, no network needed), every plot as PNG, and
    `summary.json` with all figures (see `summarise`). Its id is taken over the snapshot's and the
    code's: the same data explore_setting again are the same artifact.

    Raises:
        StoreError: the snapshot is absent or damaged, or the store can't be written.
    """
    exploration = _named(store, snapshot)
    if store.exists(exploration):
        return exploration
    opened = open_snapshot(store, snapshot)
    rows = facts.image_rows(store, opened)
    sums = pixels.scan(opened.images, _groups(rows), _NUM_GROUPS)
    summary = summarise(opened, rows, sums)
    drawings = _draw(opened, rows, sums, summary)
    page = render_page(summary, drawings)
    return store.put(
        ExplorationRef,
        exploration.id,
        {
            REPORT_FILE: page.encode(),
            SUMMARY_FILE: json.dumps(summary, indent=1, allow_nan=False).encode(),
            **{one.file: one.png for one in drawings.values()},
        },
        {
            "snapshot_id": snapshot.id,
            "step": summary["step"],
            **summary["images"],
            "mean": summary["pixels"]["all"]["mean"],
            "std": summary["pixels"]["all"]["std"],
            "plots": [one.file for one in drawings.values()],
        },
        report_url=exploration.report_url,
    )


def summarise(
    snapshot: DatasetSnapshot, rows: pd.DataFrame, sums: pixels.PixelSums
) -> dict[str, Any]:
    """All figures, as plain JSON values.

    Keys: `snapshot`, `step`, `parent`; `images` (counts); `classes` (`facts.class_table`);
    `reasons` (`facts.reason_table`); `pixels`, by `all`, `kept`, `quarantined` (None without any)
    and class of kept images (`pixels.describe`); `histograms`, pixels by grey value of the same
    groups; `copies`, `before` and `after` (`facts.copy_facts`); `labels` (how many are
    `relabelled`, and how many `errors` are in quarantine); `near_copies`; `votes` of all images,
    and `votes_kept` (`votes.vote_facts`).
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
        "classes": facts.class_table(rows),
        "reasons": facts.reason_table(rows),
        "pixels": _pixel_figures(rows, sums),
        "histograms": _histograms(sums),
        "copies": {
            "before": facts.copy_facts(rows, "given"),
            "after": facts.copy_facts(rows[rows["kept"]], "label"),
        },
        "labels": {
            "relabelled": int(facts.relabelled(rows).sum()),
            "errors": int(facts.label_errors(rows).sum()),
        },
        "near_copies": int(facts.near_copies(rows).sum()),
        "votes": vote_facts(rows, "given"),
        "votes_kept": vote_facts(rows[rows["kept"]], "label"),
    }


def _named(store: ArtifactStore, snapshot: SnapshotRef) -> ExplorationRef:
    digest = hashlib.sha256(f"{snapshot.id} {source_hash(_ENTRY)}".encode())
    for template in sorted(TEMPLATES.iterdir(), key=lambda entry: entry.name):
        digest.update(template.read_bytes())
    exploration_id = digest.hexdigest()[:24]
    url = f"{store.url}/{ExplorationRef.folder}/{exploration_id}"
    return ExplorationRef(id=exploration_id, url=url, report_url=f"{url}/{REPORT_FILE}")


def _groups(rows: pd.DataFrame) -> pixels.Ints:
    label = rows["label"].to_numpy(dtype=np.int64)
    group = np.where(label >= 0, label, _KEPT_UNLABELLED)
    return np.where(rows["kept"].to_numpy(), group, _HELD).astype(np.int64)


def _pixel_figures(rows: pd.DataFrame, sums: pixels.PixelSums) -> dict[str, Any]:
    kept = rows["kept"].to_numpy()
    masks = {"all": np.ones(len(rows), dtype=bool), "kept": kept, "quarantined": ~kept}
    masks |= {name: sums.group == number for number, name in enumerate(CLASS_NAMES)}
    return {name: pixels.describe(sums, mask) for name, mask in masks.items()}


def _histograms(sums: pixels.PixelSums) -> dict[str, list[int]]:
    counts = {
        "all": sums.histograms.sum(axis=0),
        "kept": sums.histograms[:_HELD].sum(axis=0),
        "quarantined": sums.histograms[_HELD],
    }
    counts |= {name: sums.histograms[number] for number, name in enumerate(CLASS_NAMES)}
    return {name: one.tolist() for name, one in counts.items()}


def _draw(
    snapshot: DatasetSnapshot, rows: pd.DataFrame, sums: pixels.PixelSums, summary: dict[str, Any]
) -> dict[str, Drawing]:
    """All plots that there is something to show for, by name."""
    by_class = {name: one for name in CLASS_NAMES if (one := summary["pixels"][name])}
    histograms = {"all kept": np.array(summary["histograms"]["kept"])}
    histograms |= {name: np.array(summary["histograms"][name]) for name in by_class}
    values = {
        "mean": (sums.mean, 256),
        "standard deviation": (sums.std, 128),
        "minimum": (sums.darkest.astype(np.float64), 256),
        "maximum": (sums.brightest.astype(np.float64), 256),
    }
    examples = Examples(snapshot, rows, sums)
    labelled = any(row["before"] or row["after"] for row in summary["classes"])
    plots: list[Callable[[], Drawing | None]] = [
        lambda: charts.class_chart(summary["classes"]) if labelled else None,
        lambda: charts.split_chart(summary["classes"]) if labelled else None,
        lambda: charts.histogram_chart(histograms),
        lambda: charts.image_chart(values, rows["kept"].to_numpy()),
        lambda: charts.spread_chart(by_class) if by_class else None,
        examples.mean_faces,
        examples.samples,
        examples.quarantine,
        examples.conflicts,
        examples.near_copies,
        examples.label_errors,
        examples.relabelled,
        examples.doubtful,
        lambda: charts.vote_chart(summary["votes"]) if summary["votes"] else None,
    ]
    drawn: dict[str, Drawing] = {}
    for number, plot in enumerate(plots):
        report("explore", number, len(plots), "plots")
        one = plot()
        if one is not None:
            drawn[one.name] = one
    report("explore", len(plots), len(plots), "plots")
    return drawn
