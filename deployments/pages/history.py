"""Pages about recorded runs: their list, and two of them compared."""

import re
from dataclasses import dataclass

from deployments.pages.files import NotServedError
from fer_models.errors import RunNotFoundError
from fer_models.history.comparison.compare import compare_runs
from fer_models.history.comparison.page import comparison_page, moment
from fer_models.history.record import RunRecord
from fer_models.history.runs import find_run, list_runs
from fer_models.reporting.view import percent
from fer_models.storage.store import ArtifactStore

COMPARE = "compare"
HISTORY = "history"
MOST_RUNS = 500
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,199}")
_BADGES = {
    "completed": "pass",
    "not-promoted": "warn",
    "skipped": "warn",
    "failed": "fail",
    "cancelled": "warn",
}


@dataclass(frozen=True)
class RunRow:
    """A run in a list; `compare` leads to its comparison with the run before it."""

    name: str
    started: str
    about: str
    result: str
    message: str
    badge: tuple[str, str]
    report: str
    compare: str


def run_rows(store: ArtifactStore, most: int) -> list[RunRow]:
    """The newest runs of a store; cancelled and failed ones, too.

    Raises:
        StoreError: the store can't be read.
    """
    # One more than shown, so that the last one shown has its predecessor, too.
    runs = list_runs(store, limit=most + 1).runs
    return [_row(run, _before(runs[place + 1 :])) for place, run in enumerate(runs[:most])]


def compare_page(store: ArtifactStore, a: str, b: str) -> str:
    """Run B compared with run A.

    Args:
        store: holds both.
        a: id of the earlier run, `latest` or `latest~1`, as for `ferflow runs compare`.
        b: id of the later run.

    Raises:
        NotServedError: there is no such run, or both are the same.
        StoreError: the store can't be read.

    Example:
        compare_page(store, "latest~1", "latest")
    """
    first, second = _find(store, a), _find(store, b)
    if first.id == second.id:
        raise NotServedError(f"{a} and {b} are the same run; expected two.")
    return comparison_page(store, compare_runs(store, first, second))


def _find(store: ArtifactStore, name: str) -> RunRecord:
    if not _NAME.fullmatch(name):
        raise NotServedError("The id of a run has letters, digits, '.', '_', '~' and '-' only.")
    try:
        return find_run(store, name)
    except RunNotFoundError as error:
        raise NotServedError(
            f"There is no run {name} in {store.url}. A run appears when it has ended."
        ) from error


def _before(older: "tuple[RunRecord, ...]") -> str:
    """The id of the newest of them that has a model to compare with; empty without one."""
    return next((run.id for run in older if run.candidate), "")


def _row(run: RunRecord, before: str) -> RunRow:
    report = run.artifacts.report
    return RunRow(
        name=run.name,
        started=moment(run.started_s),
        about=", ".join(part for part in (run.flow, run.trigger) if part),
        result=_result(run),
        message=run.message,
        badge=_badge(run),
        report=f"/runs/{report}/" if report else "",
        compare=f"/{COMPARE}/{before}/{run.id}" if before and run.candidate else "",
    )


def _result(run: RunRecord) -> str:
    one = run.headline
    if one is None:
        return ""
    interval = f"{100 * one.low:.1f} to {percent(one.high)}"
    return f"{percent(one.accuracy)} of {one.n:,} {one.split} images ({interval})"


def _badge(run: RunRecord) -> tuple[str, str]:
    label = "promoted" if run.promoted else run.state.replace("-", " ")
    return _BADGES[run.state], label
