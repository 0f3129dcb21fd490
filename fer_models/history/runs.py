"""The history of a store: `history/<id>.json`, one record for each run, created and never changed.

Older runs left a report (`runs/<id>`) and no record; they are listed from its lineage.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from fer_models.errors import RunNotFoundError, StoreError
from fer_models.history.older import older_runs
from fer_models.history.reading import read_each
from fer_models.history.record import RunRecord
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.store import ArtifactStore

FOLDER = "history"
LATEST = "latest"
_LATEST = re.compile(r"latest(?:~(\d+))?")
_MAX_SHOWN = 10
_MAX_LOOKED_AT = 20


@dataclass(frozen=True)
class RunHistory:
    """Runs, the newest first (those without a known time last), and what could not be read."""

    runs: tuple[RunRecord, ...]
    warnings: tuple[str, ...] = ()


def record_run(store: ArtifactStore, record: RunRecord) -> RunRecord:
    """Add a record to the history. Adding the same record again changes nothing.

    Raises:
        StoreError: the store has another record with this id, or can't be written.

    Example:
        record_run(store, record_of(store, config, outcome, flow="retrain", trigger="schedule",
                                    started_s=started_s))
    """
    key = _key(record.id)
    # In the order of the fields: members stay in the order of the configuration.
    data = json_bytes(record.model_dump(mode="json"), sort_keys=False, allow_nan=True)
    # A request that was sent twice finds its own record.
    if not store.create_bytes(key, data) and store.read_bytes(key) != data:
        raise StoreError(
            f"{store.url}/{key}: expected no record of this id, found another one; records are "
            "never changed, so use a new id"
        )
    return record


def list_runs(store: ArtifactStore, limit: int | None = None) -> RunHistory:
    """The runs of a store, the newest first.

    Two listings, and one request for each record that is returned, several at a time.

    Args:
        store: the store.
        limit: return at most this many.

    Raises:
        StoreError: the store can't be listed. A damaged record is skipped, with a warning.

    Example:
        for run in list_runs(store, limit=20).runs:
            print(run.id, run.state, run.headline)
    """
    ids = sorted(_record_ids(store), reverse=True)
    records, warnings = read_each(ids[:limit], lambda run_id: _read(store, run_id))
    runs = sorted(records, key=lambda record: record.id, reverse=True)
    if limit is None or len(ids) < limit:
        reports = {record.artifacts.report for record in records}
        older, more = older_runs(store, reports)
        runs, warnings = [*runs, *older][:limit], [*warnings, *more]
    return RunHistory(tuple(runs), tuple(warnings))


def find_run(store: ArtifactStore, text: str) -> RunRecord:
    """The run that `text` names: `latest`, `latest~1` (the one before), an id or its beginning,
    the id of a report, or a name.

    Raises:
        RunNotFoundError: no run matches, or more than one does; lists the candidates.
        StoreError: the store can't be read.

    Example:
        find_run(store, "latest~1"), find_run(store, "20261128T05")
    """  # noqa: D205 - the forms belong together
    back = _LATEST.fullmatch(text)
    if back:
        return _nth_newest(store, int(back[1] or 0))
    ids = _record_ids(store)
    exact = text.rstrip("/").rpartition("/")[2]
    if exact in ids:
        return _read(store, exact)
    runs = list_runs(store).runs
    matches = _matches(runs, exact) if exact else []
    if len(matches) == 1:
        return matches[0]
    found = (
        f"{len(matches)} runs match {text!r}; use a longer beginning of the id"
        if matches
        else f"no run has the name {text!r} or an id that starts with it"
    )
    raise RunNotFoundError(f"{store.url}: {found}; {_available(matches or runs)}")


def latest_with_ensemble(store: ArtifactStore, ensemble_id: str) -> RunRecord | None:
    """The newest recorded run that chose its candidate in this ensemble step, among the last 20.

    Raises:
        StoreError: the store can't be listed.
    """
    runs = list_runs(store, limit=_MAX_LOOKED_AT).runs
    chose = (run for run in runs if run.recorded and run.artifacts.ensemble == ensemble_id)
    return next(chose, None)


def latest_with_candidate(store: ArtifactStore) -> RunRecord | None:
    """The newest recorded run that has a model to compare with, among the last 20; else None.

    A report without a record is left out: it may be that of the run that asks.

    Raises:
        StoreError: the store can't be listed.
    """
    runs = list_runs(store, limit=_MAX_LOOKED_AT).runs
    return next((run for run in runs if run.recorded and run.candidate), None)


def _matches(runs: Sequence[RunRecord], text: str) -> list[RunRecord]:
    """Runs by id, else by the beginning of an id, else by name."""
    for wanted in (
        [run for run in runs if text in (run.id, run.artifacts.report)],
        [run for run in runs if run.name == text],
    ):
        if wanted:
            return wanted
    return [
        run
        for run in runs
        if run.id.startswith(text) or (run.artifacts.report or "").startswith(text)
    ]


def _nth_newest(store: ArtifactStore, back: int) -> RunRecord:
    runs = list_runs(store, limit=back + 1).runs
    if len(runs) > back:
        return runs[back]
    wanted = f"{LATEST}~{back}" if back else LATEST
    raise RunNotFoundError(f"{store.url}: there is no run {wanted}; {_available(runs)}")


def _available(runs: Sequence[RunRecord]) -> str:
    if not runs:
        return "the store has no runs yet: start one with `ferflow run`, or check --store"
    shown = ", ".join(f"{run.id} ({run.name})" for run in runs[:_MAX_SHOWN])
    more = f" and {len(runs) - _MAX_SHOWN} more" if len(runs) > _MAX_SHOWN else ""
    return f"available: {shown}{more} (ferflow runs list)"


def _record_ids(store: ArtifactStore) -> list[str]:
    return [
        key.removeprefix(f"{FOLDER}/").removesuffix(".json")
        for key in store.list_keys(FOLDER)
        if key.endswith(".json")
    ]


def _read(store: ArtifactStore, run_id: str) -> RunRecord:
    key = _key(run_id)
    try:
        return RunRecord.model_validate_json(store.read_bytes(key))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the object"
        raise StoreError(
            f"{store.url}/{key}: expected the record of a run; {where}: {first['msg']}; restore or "
            "remove the object"
        ) from error


def _key(run_id: str) -> str:
    return f"{FOLDER}/{run_id}.json"
