"""Stored versions of people's decisions; all are kept, the last one is in force.

A version is an artifact `decisions/<id>/` with the complete file after the change
(`decisions.csv`), and an entry of the append-only log `decisions/log/`. The number of the entry is
the version.
"""

import hashlib

import numpy as np
import pandas as pd

from fer_models.errors import DataError
from fer_models.review.decisions_file import (
    ACTIONS,
    COLUMNS,
    DECISION_DTYPES,
    RESET,
    decisions_csv,
    decode_decisions,
    empty_decisions,
    parse_decisions,
    read_decisions,
)
from fer_models.review.matching import MatchedDecisions, match_decisions, matched_positions
from fer_models.storage.log import EntryLog, LogEntry, LostRaceError
from fer_models.storage.refs import DecisionsRef
from fer_models.storage.store import ArtifactStore

__all__ = [
    "COLUMNS",
    "DECISION_DTYPES",
    "MatchedDecisions",
    "current_decisions",
    "decisions_csv",
    "decisions_history",
    "decode_decisions",
    "empty_decisions",
    "match_decisions",
    "open_decisions",
    "parse_decisions",
    "publish_decisions",
    "read_decisions",
]

_LOG = f"{DecisionsRef.folder}/log"
_FILE = "decisions.csv"
_ATTEMPTS = 5


class DecisionsEntry(LogEntry):
    """One version; the last entry of the log is in force."""

    decisions_id: str
    num_decisions: int
    counts: dict[str, int]
    """Number of decisions by action."""
    added: int
    changed: int
    withdrawn: int


def publish_decisions(
    store: ArtifactStore, table: pd.DataFrame, manifest: pd.DataFrame | None = None
) -> DecisionsRef:
    """Merge decisions into those in force and return the version in force afterwards.

    A decision replaces earlier ones about the same image; `reset` removes them. A table that
    changes nothing creates no version. Check the table with `match_decisions` first: every later
    run applies published decisions.

    Args:
        store: keeps the versions.
        table: decisions with the columns and types of `DECISION_DTYPES`.
        manifest: of the snapshot that the decisions were made about. With it, they also replace
            those that were made under another id of an image, which follow its pixels. None:
            decisions replace others by id and pixels only.

    Raises:
        DataError: there is nothing to publish, and nothing is in force.
        StoreError: the store can't be read or written.

    Example:
        opened = open_snapshot(store, raw)
        decisions = read_decisions(Path("decisions-226566315de4.csv"), opened.classes)
        unmatched = match_decisions(opened.manifest, decisions, opened.classes).unmatched
        version = publish_decisions(store, decisions, opened.manifest)
        cleaned = clean_snapshot(store, raw, CleaningConfig(), decisions=version)
    """
    for attempt in range(_ATTEMPTS):
        try:
            return _publish(store, table, manifest)
        except LostRaceError:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def current_decisions(store: ArtifactStore) -> DecisionsRef | None:
    """The version in force; None before the first decision."""
    log = _log(store)
    keys = log.entry_keys()
    return _ref(store, log.read(keys[-1])) if keys else None


def open_decisions(store: ArtifactStore, ref: DecisionsRef) -> pd.DataFrame:
    """Decisions of a version; columns and types are `DECISION_DTYPES`.

    Raises:
        StoreError: the version is missing or damaged.
    """
    return parse_decisions(store.read_file(ref, _FILE).decode(), f"{ref.url}/{_FILE}")


def decisions_history(store: ArtifactStore) -> list[DecisionsEntry]:
    """All versions, oldest first."""
    return _log(store).entries()


def _publish(
    store: ArtifactStore, table: pd.DataFrame, manifest: pd.DataFrame | None
) -> DecisionsRef:
    log = _log(store)
    keys = log.entry_keys()
    current = _ref(store, log.read(keys[-1])) if keys else None
    before = open_decisions(store, current) if current else empty_decisions()
    after = _merged(_without_renamed(before, table, manifest), table)
    text = decisions_csv(after)
    digest = hashlib.sha256(text.encode()).hexdigest()[:24]
    if current and current.id == digest:
        return current
    if not current and after.empty:
        raise DataError("expected decisions, got none, and none are in force; nothing to publish")
    counts = {action: int((after["action"] == action).sum()) for action in ACTIONS[:-1]}
    facts = {"num_decisions": len(after), "counts": counts}
    store.put(DecisionsRef, digest, {_FILE: text.encode()}, facts, version=len(keys) + 1)
    changes = _changes(before, after)

    def entry(number: int) -> DecisionsEntry:
        return DecisionsEntry(number=number, decisions_id=digest, **facts, **changes)

    appended = log.append(entry, keys[-1] if keys else None, "publish the decisions again")
    return _ref(store, appended)


def _without_renamed(
    before: pd.DataFrame, table: pd.DataFrame, manifest: pd.DataFrame | None
) -> pd.DataFrame:
    """The earlier decisions about other images than those of `table`, whatever ids they give.

    Pixels alone don't tell: copies of an image have decisions of their own.
    """
    if manifest is None or before.empty:
        return before
    positions = matched_positions(manifest, before)
    decided = np.isin(positions, matched_positions(manifest, table))
    return before[~decided | (positions < 0)]


def _merged(before: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Decisions after merging `table`; a row without pixels applies to every image of that name."""
    names = set(table["image_id"])
    without_pixels = set(table.loc[table["pixel_sha256"] == "", "image_id"])
    replaced = set(_keys(table))
    remains = [
        # An earlier decision without pixels is replaced by a more specific one.
        image_id not in (without_pixels if sha else names) and (image_id, sha) not in replaced
        for image_id, sha in _keys(before)
    ]
    merged = pd.concat([before[remains], table[table["action"] != RESET]], ignore_index=True)
    ordered = merged.sort_values(["image_id", "pixel_sha256"], kind="stable")
    return ordered.reset_index(drop=True).astype(DECISION_DTYPES)


def _changes(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, int]:
    old, new = (
        dict(zip(_keys(table), table[["action", "label", "note"]].to_numpy().tolist(), strict=True))
        for table in (before, after)
    )
    return {
        "added": len(new.keys() - old.keys()),
        "changed": sum(old[key] != new[key] for key in old.keys() & new.keys()),
        "withdrawn": len(old.keys() - new.keys()),
    }


def _keys(table: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(table["image_id"], table["pixel_sha256"], strict=True))


def _log(store: ArtifactStore) -> EntryLog[DecisionsEntry]:
    return EntryLog(store, _LOG, DecisionsEntry, "decisions")


def _ref(store: ArtifactStore, entry: DecisionsEntry) -> DecisionsRef:
    return store.ref(DecisionsRef, entry.decisions_id, version=entry.number)
