"""Tables of figures: every metric on every set of images, and accuracy by slice."""

from dataclasses import dataclass

from fer_models.evaluation.results import Gap, ModelMetrics, Slice, SliceColumn

_NAMES = {
    "top2_accuracy": "top-2 accuracy",
    "top5_accuracy": "top-5 accuracy",
    "macro_f1": "macro F1",
    "kappa": "Cohen's kappa",
    "auroc": "AUROC (one against the rest)",
    "log_loss": "log loss (nats)",
    "brier": "Brier score",
    "calibration_error_scaled": "calibration error, after temperature scaling",
}
_SETS = {
    "test_without_leaks": "test, without exact copies",
    "test_without_near_copies": "test, without near copies",
    "validation_without_leaks": "validation, without exact copies",
    "validation_without_near_copies": "validation, without near copies",
}
_SHARES = ("accuracy", "recall", "precision", "calibration_error")


@dataclass(frozen=True)
class FigureCell:
    """A figure and its interval, in words; the interval is empty if there is none."""

    value: str
    interval: str


@dataclass(frozen=True)
class FigureTable:
    """Metrics (rows) on sets of images (columns, with their n)."""

    sets: tuple[tuple[str, int, int], ...]
    """Name, images, and groups of copies among them."""
    rows: tuple[tuple[str, tuple[FigureCell | None, ...]], ...]


@dataclass(frozen=True)
class SliceCard:
    """The slices of one property; bars run from `floor` to 1."""

    title: str
    slices: tuple[Slice, ...]
    floor: float
    gap: Gap | None
    num_unknown: int


def figure_table(metrics: ModelMetrics) -> FigureTable:
    """All metrics of a model on all sets of images."""
    names: list[str] = []
    cells: dict[tuple[str, str], FigureCell] = {}
    for split, scores in metrics.splits.items():
        for one in scores.headlines():
            names += [one.name] if one.name not in names else []
            ends = "" if one.low is None or one.high is None else _ends(one.name, one.low, one.high)
            cells[one.name, split] = FigureCell(_text(one.name, one.value), ends)
    return FigureTable(
        sets=tuple(
            (_SETS.get(split, split), scores.n, scores.num_groups)
            for split, scores in metrics.splits.items()
        ),
        rows=tuple(
            (
                _NAMES.get(name, name.replace("_", " ")),
                tuple(cells.get((name, split)) for split in metrics.splits),
            )
            for name in names
        ),
    )


def slice_cards(metrics: ModelMetrics) -> list[SliceCard]:
    """One card for each property that accuracy was measured by; all have the same scale."""
    shown = [column for column in metrics.slices if column.slices]
    lowest = min((one.low for column in shown for one in column.slices), default=0.0)
    floor = int(10 * lowest) / 10
    return [_card(column, floor) for column in shown]


def _card(column: SliceColumn, floor: float) -> SliceCard:
    return SliceCard(
        title=column.column.replace("_", " "),
        slices=column.slices,
        floor=floor,
        gap=column.gap,
        num_unknown=column.num_unknown,
    )


def _is_share(name: str) -> bool:
    return any(part in name for part in _SHARES)


def _text(name: str, value: float) -> str:
    return f"{100 * value:.1f}\u202f%" if _is_share(name) else f"{value:.3f}"


def _ends(name: str, low: float, high: float) -> str:
    if _is_share(name):
        return f"{100 * low:.1f} \u2013 {100 * high:.1f}\u202f%"
    return f"{low:.3f} \u2013 {high:.3f}"
