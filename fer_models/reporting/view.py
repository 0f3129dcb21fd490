"""The template context: facts of a run, turned into texts and tables."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fer_models.classes.described import source_lines
from fer_models.evaluation.metrics import reliability_bins
from fer_models.evaluation.results import TEST, TEST_WITHOUT_LEAKS, VALIDATION, SplitMetrics
from fer_models.reporting import charts, gallery
from fer_models.reporting.collect import RunFacts
from fer_models.reporting.defects import DefectRow, score_cleaning
from fer_models.tuning.charts import MAX_CURVES, lineage, search_charts

THIN_SPACE = "\u202f"


@dataclass(frozen=True)
class HeatCell:
    """A cell of the confusion matrix: its count and its share of the row (0..1)."""

    count: int
    share: float
    on_diagonal: bool


def percent(share: float, digits: int = 1) -> str:
    """0.6523 as `65.2 %`, with a narrow no-break space."""
    return f"{100 * share:.{digits}f}{THIN_SPACE}%"


def interval(scores: SplitMetrics) -> str:
    """The confidence interval of the accuracy, such as `61.9 \u2013 68.4 %`."""
    low, high = 100 * scores.accuracy_low, 100 * scores.accuracy_high
    return f"{low:.1f} \u2013 {high:.1f}{THIN_SPACE}%"


def short_count(count: int) -> str:
    """1600000 as `1.6 M`."""
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.1f}{THIN_SPACE}{letter}"
    return str(count)


def value_text(value: Any) -> str:
    """A hyper-parameter value: floats with four significant digits, anything else unchanged."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


FILTERS: dict[str, Callable[..., str]] = {
    "percent": percent,
    "interval": interval,
    "short_count": short_count,
    "value_text": value_text,
}


def page_context(facts: RunFacts) -> dict[str, Any]:
    """All variables of the template."""
    headline = facts.candidate.headline
    return {
        "facts": facts,
        "rows": facts.rows,
        "candidate": facts.candidate,
        "headline": headline,
        "confidence_text": f"{round(100 * facts.config.evaluation.confidence, 1):g}",
        "split": TEST if facts.has_test else VALIDATION,
        "has_test": facts.has_test,
        "splits": {"validation": VALIDATION, "test": TEST, "unleaked": TEST_WITHOUT_LEAKS},
        "verdict": _verdict(facts),
        "classes": tuple(headline.per_class),
        "label_lines": source_lines(facts.snapshot.info),
        "own_classes": () if facts.snapshot.classes.is_fer2013 else facts.snapshot.classes.names,
        "confusion": _confusion(headline),
        "gate": _gate(facts),
        "defects": _defects(facts),
        "rejected": _rejected(facts),
        "charts": _charts(facts),
        "schedule": _schedule(facts),
        "max_curves": MAX_CURVES,
        "curve_rows": [row for row in facts.rows if row.curve is not None],
        "samples": gallery.samples_by_class(facts.snapshot),
        "quarantined": gallery.quarantined_faces(facts.snapshot),
        "mistakes": gallery.confident_mistakes(facts.snapshot, facts.predictions),
        "num_mistakes": int((~facts.predictions.correct).sum()),
        "confusions": _worst_confusions(headline),
        "lineage": _lineage(facts),
        "config_json": facts.config.model_dump_json(indent=2),
    }


def _verdict(facts: RunFacts) -> dict[str, str]:
    name = facts.candidate.metrics.model_name
    if facts.refs.promotion.promoted:
        return {"kind": "pass", "title": f"{name} is the champion", "label": "promoted"}
    return {"kind": "fail", "title": f"{name} was not promoted", "label": "not promoted"}


def _confusion(scores: SplitMetrics) -> list[tuple[str, int, list[HeatCell]]]:
    rows = []
    for number, (name, counts) in enumerate(zip(scores.per_class, scores.confusion, strict=True)):
        total = sum(counts)
        cells = [
            HeatCell(count, count / total if total else 0.0, column == number)
            for column, count in enumerate(counts)
        ]
        rows.append((name, total, cells))
    return rows


def _worst_confusions(scores: SplitMetrics) -> list[tuple[str, str, int, float]]:
    """The three most frequent confusions: true class, prediction, images, share of the class."""
    names = list(scores.per_class)
    pairs = [
        (names[i], names[j], count, count / sum(row))
        for i, row in enumerate(scores.confusion)
        for j, count in enumerate(row)
        if i != j and count
    ]
    return sorted(pairs, key=lambda pair: (-pair[2], -pair[3]))[:3]


def _gate(facts: RunFacts) -> list[dict[str, Any]]:
    """The checks, failed ones first; `state` is pass, warn or fail."""
    rows = []
    for check in facts.checks:
        bad = "fail" if check["severity"] == "error" else "warn"
        rows.append({**check, "state": "pass" if check["passed"] else bad})
    order = {"fail": 0, "warn": 1, "pass": 2}
    return sorted(rows, key=lambda row: order[row["state"]])


def _defects(facts: RunFacts) -> list[DefectRow]:
    truth = facts.tables.get("truth")
    return [] if truth is None else score_cleaning(facts.snapshot.manifest, truth)


def _rejected(facts: RunFacts) -> list[Any]:
    """Unreadable rows of the sources, as named tuples."""
    table = facts.tables.get("rejected")
    return [] if table is None else list(table.itertuples(index=False))


def _charts(facts: RunFacts) -> dict[str, str]:
    bins = reliability_bins(
        facts.predictions.probs_NK,
        facts.predictions.labels,
        facts.config.evaluation.calibration_bins,
    )
    rendered = {
        "accuracy": charts.accuracy_chart(facts.rows),
        "classes": charts.class_chart(facts.candidate.headline),
        "reliability": charts.reliability_chart(bins),
        "counts": charts.counts_chart(facts.snapshot),
    }
    curve_rows = [row for row in facts.rows if row.curve is not None]
    if curve_rows:
        rendered["curves"] = charts.curves_chart(curve_rows)
    if facts.trials:
        figures = search_charts(facts.trials, facts.config.tuning.search_space)
        rendered |= {figure.name: figure.svg for figure in figures}
    return rendered


def _schedule(facts: RunFacts) -> list[dict[str, Any]]:
    """Lineage of the best trial of a population: its start and its exchanges; else empty."""
    if not any(trial.get("schedule") for trial in facts.trials):
        return []
    entries = lineage(facts.trials, facts.tuning_info["best_trial"])
    return [
        entry
        for number, entry in enumerate(entries)
        if not number or entry["copied_from"] is not None
    ]


def _lineage(facts: RunFacts) -> list[tuple[str, str]]:
    source = facts.candidate.lineage
    code = source.get("code") or {}
    revision = code.get("revision") or "not a git checkout"
    packages = source.get("packages") or {}
    return [
        ("dataset", facts.snapshot.ref.id),
        ("code revision", revision + (" (with uncommitted changes)" if code.get("dirty") else "")),
        ("seed", str(facts.config.seed)),
        ("ferflow", str(source.get("ferflow"))),
        ("Python", str(source.get("python"))),
        ("platform", str(source.get("platform"))),
        ("packages", ", ".join(f"{name} {v}" for name, v in packages.items() if v)),
        ("store", facts.refs.snapshot.store_url),
    ]
