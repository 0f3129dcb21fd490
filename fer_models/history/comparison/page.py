"""The page that compares two runs: one self-contained HTML file."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from fer_models.history.comparison.compare import RunComparison
from fer_models.history.comparison.view import page_context
from fer_models.history.leaderboard import leaderboard
from fer_models.plotting.page import page_environment
from fer_models.reporting.view import percent, short_count
from fer_models.storage.store import ArtifactStore

_PACKAGE = "fer_models.history.comparison"
_NOTHING = "\u2013"


def comparison_page(store: ArtifactStore, result: RunComparison) -> str:
    """The HTML of a comparison.

    Args:
        store: holds the evaluations of both runs.
        result: the comparison.

    Example:
        Path("compare.html").write_text(comparison_page(store, compare_runs(store, a, b)))
    """
    environment = page_environment(_PACKAGE)
    environment.filters |= _FILTERS
    rows = (leaderboard(store, result.a), leaderboard(store, result.b))
    return environment.get_template("compare.html.j2").render(**page_context(result, *rows))


def points(difference: float) -> str:
    """0.0213 as `+2.1`."""
    return f"{100 * difference:+.1f}".replace("-", "\u2212")


def moment(time_s: float | None) -> str:
    """Seconds since the epoch as `2026-11-28 05:12 UTC`."""
    if time_s is None:
        return "unknown time"
    return f"{dt.datetime.fromtimestamp(time_s, tz=dt.UTC):%Y-%m-%d %H:%M} UTC"


def _value(value: Any) -> str:
    """A setting or a count; `present` for a whole group or member that the other run lacks."""
    if isinstance(value, dict):
        return "present"
    return _NOTHING if value is None else f"{value:,}" if type(value) is int else str(value)


_FILTERS: dict[str, Callable[..., str]] = {
    "percent": percent,
    "short_count": short_count,
    "points": points,
    "moment": moment,
    "value": _value,
}
