"""Content of the review page: images to decide about, worst first, and removals without a choice.

N images; row i of the manifest and of the table of cleaning decisions describe image i.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.dataset.snapshot import KEPT, NO_VOTE, QUARANTINED, DatasetSnapshot
from fer_models.labels import VOTE_COLUMNS
from fer_models.plotting.embedded import embedded_png
from fer_models.review.decisions_file import RELABEL
from fer_models.review.matching import MatchedDecisions

# Leaks from held-out splits and exact duplicates leave nothing to decide.
FACTS = ("leak", "exact_duplicate")
WORST_KEPT = "worst_kept"
DECIDED = "by_person"
# Reasons in the order of the page; others follow by name, kept images come last.
_REASONS = ("label_error", "conflicting_label", "not_a_face", "blank", "near_duplicate")
_LAST = (WORST_KEPT, DECIDED)
_MAX_FACTS_SHOWN = 48
_AFTER_CLASSES = 1000  # sorts after every class number

Rows = npt.NDArray[np.int64]
Item = dict[str, Any]


@dataclass(frozen=True)
class PageContent:
    """Content of the page as plain values for JSON.

    Attributes:
        items: the images to decide about, in the order of the page.
        facts: for each reason in `FACTS`: the count and the first images.
        pictures: PNGs in base64 by their position in the manifest.
    """

    items: list[Item]
    facts: list[dict[str, Any]]
    pictures: dict[str, str]


def collect_content(
    snapshot: DatasetSnapshot, cleaning: pd.DataFrame, matched: MatchedDecisions, limit: int
) -> PageContent:
    """Choose the images to show.

    Args:
        snapshot: a cleaned snapshot.
        cleaning: the snapshot's table `decisions` (N rows).
        matched: the decisions in force, matched to the snapshot.
        limit: maximum number of kept training images, those with the lowest label quality.
    """
    table = _joined(snapshot, cleaning, matched)
    groups = _groups(table, limit)
    rows = _in_order(table, groups)
    related = dict(zip(table["image_id"], range(len(table)), strict=True))
    items = [_item(table, row, str(groups[row]), related) for row in rows]
    facts = [_fact(table, reason, related) for reason in FACTS]
    shown = [*items, *(item for fact in facts for item in fact["items"])]
    positions = {item["i"] for item in shown} | {item["of"] for item in shown if "of" in item}
    pictures = {str(row): embedded_png(snapshot.images[row]) for row in sorted(positions)}
    return PageContent(items, [fact for fact in facts if fact["count"]], pictures)


def _joined(
    snapshot: DatasetSnapshot, cleaning: pd.DataFrame, matched: MatchedDecisions
) -> pd.DataFrame:
    """The manifest with the decisions of cleaning and of people; row i is image i."""
    own = ["reason", "score", "evidence", "suggested_label", "related_id"]
    own += ["probability", "suggested_probability"]
    first = cleaning[["image_id", "label", *own]].rename(
        columns={"label": "source_label", "reason": "rule"}
    )
    table = snapshot.manifest.merge(first, on="image_id", validate="one_to_one", how="left")
    assert len(table) == len(snapshot.manifest)
    table["decided"] = ""
    table["decided_label"] = -1
    table["decided_note"] = ""
    table.loc[matched.positions, "decided"] = matched.actions
    table.loc[matched.positions, "decided_label"] = matched.labels
    table.loc[matched.positions, "decided_note"] = matched.notes
    return table


def _groups(table: pd.DataFrame, limit: int) -> npt.NDArray[np.str_]:
    """Group of each image on the page; "" for images that are not shown."""
    rule = table["rule"].to_numpy(dtype="str")
    split = table["split"].to_numpy(dtype="str")
    quarantined = (
        (table["status"] == QUARANTINED).to_numpy() & ~np.isin(rule, FACTS) & (split != "test")
    )
    groups = np.where(quarantined, rule, "").astype("U64")
    changed = (rule != "") & (table["status"] == KEPT).to_numpy() & (split != "test")
    groups[changed] = rule[changed]
    groups[(table["decided"] != "").to_numpy() & (groups == "")] = DECIDED
    free = (groups == "") & (table["status"] == KEPT).to_numpy() & np.isin(split, ("train", ""))
    candidates = np.flatnonzero(free & (table["score"] < 1).to_numpy())
    order = np.argsort(table["score"].to_numpy()[candidates], kind="stable")
    groups[candidates[order][:limit]] = WORST_KEPT
    return groups


def _in_order(table: pd.DataFrame, groups: npt.NDArray[np.str_]) -> Rows:
    """Rows by group, then class, then worst first."""
    names = sorted(set(groups) - {""} - {*_REASONS, *_LAST})
    rank = {name: number for number, name in enumerate((*_REASONS, *names, *_LAST))}
    rows = np.flatnonzero(groups != "")
    label = table["source_label"].to_numpy(dtype=np.int64)[rows]
    kept = np.isin(groups[rows], _LAST)
    badness = np.where(kept, table["score"].to_numpy()[rows], table["evidence"].to_numpy()[rows])
    by_group = np.array([rank[group] for group in groups[rows]], dtype=np.int64)
    unlabelled_last = np.where(label < 0, _AFTER_CLASSES, label)
    order: Rows = rows[np.lexsort((badness, unlabelled_last, by_group))]
    return order


def _item(table: pd.DataFrame, row: int, group: str, related: Mapping[str, int]) -> Item:
    """One image; keys are short because a page holds thousands of items."""
    cells = table.iloc[row]
    item: Item = {
        "i": int(row),
        "id": cells["image_id"],
        "sha": cells["pixel_sha256"],
        "group": group,
        "split": cells["split"],
        "label": int(cells["source_label"]),
        "status": cells["status"],
        "score": round(float(cells["score"]), 4),
    }
    if cells["path"]:
        item["path"] = cells["path"]
    item |= _predictions_and_votes(cells)
    if cells["related_id"] in related:
        item |= _related(table, related[cells["related_id"]])
    if cells["decided"]:
        item["was"] = cells["decided"]
    if cells["decided"] == RELABEL:
        item["was_label"] = int(cells["decided_label"])
    if cells["decided_note"]:
        item["was_note"] = cells["decided_note"]
    return item


def _predictions_and_votes(cells: "pd.Series[Any]") -> Item:
    """Predictions of the networks and FER+ votes, where available."""
    found: Item = {}
    if cells["suggested_label"] >= 0:
        found["hint"] = int(cells["suggested_label"])
    for key, column in (("p", "probability"), ("q", "suggested_probability")):
        if not math.isnan(cells[column]):
            found[key] = round(float(cells[column]), 4)
    votes = [int(cells[column]) for column in VOTE_COLUMNS]
    if NO_VOTE not in votes:
        found["votes"] = votes
    return found


def _related(table: pd.DataFrame, row: int) -> Item:
    cells = table.iloc[row]
    return {
        "of": int(row),
        "of_id": cells["image_id"],
        "of_label": int(cells["source_label"]),
        "of_split": cells["split"],
    }


def _fact(table: pd.DataFrame, reason: str, related: Mapping[str, int]) -> dict[str, Any]:
    rows = np.flatnonzero((table["rule"] == reason).to_numpy())
    shown: Sequence[int] = rows[:_MAX_FACTS_SHOWN].tolist()
    items = [_item(table, row, reason, related) for row in shown]
    return {"reason": reason, "count": len(rows), "items": items}
