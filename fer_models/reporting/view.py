"""The template context: facts of a run, turned into texts and tables."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fer_models.classes.described import source_lines
from fer_models.ensembling.scores import CONFIDENCE
from fer_models.evaluation.command import evaluation_command
from fer_models.evaluation.metrics import ReliabilityBins, reliability_bins
from fer_models.evaluation.results import (
    TEST,
    TEST_WITHOUT_NEAR_COPIES,
    VALIDATION,
    VALIDATION_WITHOUT_NEAR_COPIES,
    SplitMetrics,
)
from fer_models.evaluation.temperature import apply_temperature
from fer_models.plotting.svg import NUM_SERIES_COLOURS
from fer_models.reporting import gallery
from fer_models.reporting.charts import classes as class_charts
from fer_models.reporting.charts import ensemble as ensemble_charts
from fer_models.reporting.charts import models as model_charts
from fer_models.reporting.charts.data import counts_chart
from fer_models.reporting.collect import ModelRow, RunFacts
from fer_models.reporting.curves import class_curves
from fer_models.reporting.defects import DefectRow, score_cleaning
from fer_models.reporting.ensemble_panel import ensemble_panel
from fer_models.reporting.figures import figure_table, slice_cards
from fer_models.reporting.model_card.markdown import MODEL_CARD_FILE
from fer_models.reporting.run_facts import duration, run_section
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
    "duration": duration,
}


def page_context(facts: RunFacts) -> dict[str, Any]:
    """All variables of the template."""
    headline = facts.candidate.headline
    return {
        "facts": facts,
        "rows": facts.rows,
        "board": _ranked(facts),
        "is_cross_validated": all(row.cross_validated for row in facts.rows),
        "candidate": facts.candidate,
        "headline": headline,
        "confidence_text": _level(facts.config.evaluation.confidence),
        "cross_validated_confidence": _level(CONFIDENCE),
        "split": TEST if facts.has_test else VALIDATION,
        "has_test": facts.has_test,
        "splits": {"validation": VALIDATION, "test": TEST, "unique": _unique(facts)},
        "commands": {
            row.metrics.model_id: evaluation_command(
                facts.refs.snapshot.store_url, row.metrics.model_id, row.metrics.settings
            )
            for row in facts.rows
        },
        "figures": figure_table(facts.candidate.metrics),
        "slices": slice_cards(facts.candidate.metrics),
        "criteria": facts.decision.get("criteria", ()),
        "versus": facts.versus,
        "ensemble": ensemble_panel(facts.choice),
        "verdict": _verdict(facts),
        "classes": tuple(headline.per_class),
        "label_lines": source_lines(facts.snapshot.info),
        "own_classes": () if facts.snapshot.classes.is_fer2013 else facts.snapshot.classes.names,
        "confusion": _confusion(headline),
        "gate": _gate(facts),
        "defects": _defects(facts),
        "rejected": _rejected(facts),
        "charts": _charts(facts),
        "reliability_caption": _reliability_caption(facts),
        "worst_note": _worst_note(len(headline.per_class)),
        "schedule": _schedule(facts),
        "max_curves": MAX_CURVES,
        "curve_rows": [row for row in facts.rows if row.curve is not None],
        "samples": gallery.samples_by_class(facts.snapshot),
        "quarantined": gallery.quarantined_faces(facts.snapshot),
        "mistakes": gallery.confident_mistakes(facts.snapshot, facts.predictions),
        "num_mistakes": int((~facts.predictions.correct).sum()),
        "confusions": _worst_confusions(headline),
        "card_file": MODEL_CARD_FILE,
        "run": run_section(facts),
        "heat": facts.heat,
        "config_json": facts.config.model_dump_json(indent=2),
    }


def _level(confidence: float) -> str:
    """The level of an interval in percent, without the sign."""
    return f"{round(100 * confidence, 1):g}"


def _verdict(facts: RunFacts) -> dict[str, str]:
    name = facts.candidate.metrics.model_name
    if not facts.refs.promotion.judged:
        label = facts.refs.promotion.verdict
        return {"kind": "pass", "title": f"{name} is the champion already", "label": label}
    if facts.refs.promotion.promoted:
        return {"kind": "pass", "title": f"{name} is the champion", "label": "promoted"}
    return {"kind": "fail", "title": f"{name} was not promoted", "label": "not promoted"}


def _unique(facts: RunFacts) -> str:
    """The headline set without near copies of training images."""
    return TEST_WITHOUT_NEAR_COPIES if facts.has_test else VALIDATION_WITHOUT_NEAR_COPIES


def _ranked(facts: RunFacts) -> list[ModelRow]:
    """The models, best first by the metric that chose the candidate; of equals the candidate."""
    metric = facts.choice["metric"]
    plain = {entry["model_id"]: entry["validation"] for entry in facts.choice["candidates"]}
    sign = 1 if metric == "log_loss" else -1

    def rank(row: ModelRow) -> tuple[float, bool]:
        fitted = plain[row.metrics.model_id][metric]
        score = row.cross_validated.get(metric, {"value": fitted})["value"]
        return sign * score, not row.is_candidate

    return sorted(facts.rows, key=rank)


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
    curves = class_curves(facts.predictions, tuple(facts.candidate.headline.per_class))
    rendered = {
        "accuracy": model_charts.accuracy_chart(facts.rows),
        "classes": class_charts.class_chart(facts.candidate.headline),
        "reliability": class_charts.reliability_chart(_reliability(facts)),
        "counts": counts_chart(facts.snapshot),
    }
    if curves:
        rendered["roc"] = class_charts.roc_chart(curves)
        rendered["precision_recall"] = class_charts.precision_recall_chart(curves)
    panel = ensemble_panel(facts.choice)
    if panel is not None and panel.points:
        rendered["cost"] = ensemble_charts.cost_chart(panel.points)
    if panel is not None and panel.gains:
        rendered["gains"] = ensemble_charts.gains_chart(panel.gains, panel.gain_metric)
    curves_of = {row.metrics.model_name: row.curve for row in facts.rows if row.curve is not None}
    if curves_of:
        rendered["curves"] = model_charts.curves_chart(curves_of)
    if facts.trials:
        figures = search_charts(facts.trials, facts.config.tuning.search_space)
        rendered |= {figure.name: figure.svg for figure in figures}
    return rendered


def _reliability(facts: RunFacts) -> dict[str, ReliabilityBins]:
    """Reliability of the probabilities as they are, and after temperature scaling."""
    given, num_bins = facts.predictions, facts.config.evaluation.calibration_bins
    series = {"as predicted": reliability_bins(given.probs_NK, given.labels, num_bins)}
    temperature = facts.candidate.metrics.temperature
    if temperature is not None:
        scaled_NK = apply_temperature(given.probs_NK, temperature)
        bins = reliability_bins(scaled_NK, given.labels, num_bins)
        series[f"at T = {temperature:.2f}"] = bins
    return series


def _reliability_caption(facts: RunFacts) -> str:
    headline, temperature = facts.candidate.headline, facts.candidate.metrics.temperature
    text = "Below the dashed line the model is overconfident, above it underconfident. "
    text += f"Calibration error {percent(headline.calibration_error)}"
    if temperature is not None and headline.calibration_error_scaled is not None:
        scaled = percent(headline.calibration_error_scaled)
        text += f"; after temperature scaling (fitted on validation) {scaled}"
    return f"{text}."


def _worst_note(num_classes: int) -> str:
    shown = NUM_SERIES_COLOURS
    return f" The {shown} classes with the lowest figures." if num_classes > shown else ""


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
