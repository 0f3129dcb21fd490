"""The results as Markdown, which is also what the terminal shows, and as JSON."""

import datetime as dt
import os
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_models.evaluation.results import Share
from fer_models.history.comparison.paired import PairedDifference
from tests.benchmarks.results.entrants import Entrant
from tests.benchmarks.results.faces import OFFICIAL, LabelledFaces
from tests.benchmarks.results.left import Left, Noise
from tests.benchmarks.results.peers import NotAtHand
from tests.benchmarks.results.scores import Score, against

_WIDEST = 60
"""Characters to which the cells of a column are padded at most."""


@dataclass(frozen=True)
class Results:
    """A run of the benchmark."""

    faces: LabelledFaces
    command: str
    scores: Sequence[Score]
    missing: Sequence[NotAtHand]
    left_out: Sequence[str]
    """Shipped bundles that have learned from these images."""
    left: Left

    @property
    def title(self) -> str:
        """The images."""
        return f"FER2013 {self.faces.split}, n = {len(self.faces.labels):,}"


def percent(share: Share | None) -> str:
    """`70.5 [69.0, 72.0]`, or a dash."""
    if share is None:
        return "-"
    return f"{100 * share.value:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def markdown(results: Results) -> str:
    """All sections."""
    parts = [
        f"# {results.title}",
        f"    {results.command}\n\n{machine()}",
        results.faces.warning,
        "## Accuracy and cost\n\n" + accuracy_table(results),
        "## Against the other packages\n\n" + peer_table(results),
        "## How each is called\n\n" + call_table(results),
        *left_sections(results.left, results.faces),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def accuracy_table(results: Results) -> str:
    """Accuracy in percent on every set with its interval, cost, and the distance to the best."""
    sets = {name: int(mask.sum()) for name, mask in results.faces.sets.items()}
    header = ["", "parameters", "images/s", "images/s of a core"]
    header += [f"{name}, n = {n:,}" for name, n in sets.items()]
    header += ["to the best, points", "McNemar p"]
    rows = []
    for score in results.scores:
        one = score.entrant
        cells = [one.name, _millions(one.parameters), f"{one.images_per_s:,.0f}"]
        cells += [
            f"{one.images_per_core_s:,.0f}",
            *(percent(score.shares.get(name)) for name in sets),
        ]
        rows.append([*cells, *_difference(score.to_best, "best")])
    rows += [[one.peer.name, "not at hand"] for one in results.missing]
    notes = [f"* {one.peer.name} is not at hand: {one.reason}" for one in results.missing]
    notes += [f"* {name} has learned from these images, too" for name in results.left_out]
    return "\n\n".join(filter(None, [table(header, rows), "\n".join(notes)]))


def peer_table(results: Results) -> str:
    """Each of ferflow's models minus each other package, in points, on two sets."""
    own = [one.entrant for one in results.scores if not one.entrant.is_peer]
    peers = [one.entrant for one in results.scores if one.entrant.is_peer]
    if not peers:
        return "No other package is at hand."
    faces = results.faces
    names = [OFFICIAL, *[name for name in faces.sets if name != OFFICIAL][-1:]]
    header = ["", "minus", *(part for name in names for part in (f"{name}, points", "McNemar p"))]
    rows = []
    for one in own:
        for peer in peers:
            cells = [one.name, peer.name]
            for name in names:
                cells += _difference(against(one, peer, faces, name), "")
            rows.append(cells)
    return table(header, rows)


def call_table(results: Results) -> str:
    """How the crops get into each, and what it learned from."""
    rows = [[one.entrant.name, one.entrant.called, one.entrant.learned] for one in results.scores]
    rows += [[one.peer.name, one.peer.called, one.peer.learned] for one in results.missing]
    return table(["", "called", "trained and chosen on"], rows)


def left_sections(left: Left, faces: LabelledFaces) -> list[str]:
    """The sections about the errors of one model."""
    metrics, name = left.metrics, left.entrant.name
    errors = metrics.n - sum(row[k] for k, row in enumerate(metrics.confusion))
    first = (
        f"## What is left\n\n{name}: {errors:,} errors on {metrics.n:,} images. Rows are labels, "
        "columns are answers."
    )
    parts = [first, _confusion(left, faces), _classes(left), _calibration(left)]
    if left.near_copies is not None:
        parts.append(
            f"Images with a copy, exact or near, in Training: {percent(left.near_copies)} %, "
            f"n = {left.near_copies.n:,}."
        )
    return [*parts, "FER+'s votes are not in the data." if left.noise is None else _noise(left)]


def _confusion(left: Left, faces: LabelledFaces) -> str:
    names = list(faces.classes.names)
    rows = [
        [name, *(f"**{n}**" if k == j else str(n) for j, n in enumerate(row))]
        for k, (name, row) in enumerate(zip(names, left.metrics.confusion, strict=True))
    ]
    return table(["", *names], rows)


def _classes(left: Left) -> str:
    rows = [
        [
            name,
            f"{one.n:,}",
            _ends(one.recall, one.intervals.get("recall")),
            _ends(one.precision, one.intervals.get("precision")),
        ]
        for name, one in left.metrics.per_class.items()
    ]
    return table(["", "n", "recall, %", "precision, %"], rows)


def _calibration(left: Left) -> str:
    metrics = left.metrics
    cells = [
        [
            text,
            "-" if value is None else _ends(value, metrics.intervals.get(name)),
        ]
        for text, name, value in (
            ("as predicted", "calibration_error", metrics.calibration_error),
            (
                f"after temperature scaling (out of fold; T = {left.temperature:.2f} on all)",
                "calibration_error_scaled",
                metrics.calibration_error_scaled,
            ),
        )
    ]
    return table(["expected calibration error", "points"], cells)


def _noise(left: Left) -> str:
    noise, crowd = left.noise, left.metrics.crowd
    assert noise is not None
    assert crowd is not None
    rows = _noise_rows(noise)
    rows[1:1] = [
        ("accuracy by the label: the crowd is sure (7 of 10 votes)", crowd.sure),
        ("accuracy by the label: the crowd is split", crowd.split),
        ("an oracle that answers the crowd's majority, by the label", crowd.oracle),
    ]
    cells = [[text, percent(share), f"{share.n:,}" if share else "0"] for text, share in rows]
    return table(["label noise", "%", "n"], cells)


def _noise_rows(noise: Noise) -> list[tuple[str, Share | None]]:
    return [
        ("the crowd's majority is the label", noise.label_is_majority),
        ("accuracy by the label: images with a majority for a class", noise.by_label),
        ("accuracy by the crowd's majority: the same images", noise.by_majority),
        ("accuracy by the label: majority and label agree", noise.where_they_agree),
        ("accuracy by the label: they differ", noise.where_they_differ),
        ("accuracy by the majority: they differ", noise.majority_where_they_differ),
        *((f"errors {name}", share) for name, share in noise.errors.items()),
        ("errors where the crowd is sure, right by the crowd", noise.errors_of_sure_crowd),
    ]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table with padded cells; short rows are filled up."""
    filled = [[*row, *[""] * (len(header) - len(row))] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *filled, strict=True)]
    # One long cell must not widen its column for everybody.
    widths = [min(width, _WIDEST) for width in widths]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = "|".join("-" * (width + 2) for width in widths)
    return "\n".join([line(header), f"|{rule}|", *map(line, filled)])


def machine() -> str:
    """The machine, its cores in use, and how busy it is."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    today = dt.datetime.now(tz=dt.UTC).date()
    used = f"{cores} core{'s' if cores != 1 else ''} of {_processor()}"
    return f"{used}, {platform.system()} {platform.machine()}{load}, {today}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    text = info.read_text("utf-8") if info.exists() else ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    kinds = [kind for kind in ("avx512_bf16", "avx512f", "avx2") if kind in text]
    name = model[1].strip() if model else platform.processor() or "an unknown processor"
    return f"{name} ({kinds[0]})" if kinds else name


def as_json(results: Results) -> dict[str, Any]:
    """Every figure, shares 0..1; the answers themselves are left out."""
    return {
        "command": results.command,
        "machine": machine(),
        "split": results.faces.split,
        "warning": results.faces.warning,
        "sets": {name: int(mask.sum()) for name, mask in results.faces.sets.items()},
        "models": [_score_json(score) for score in results.scores],
        "not_at_hand": [{"name": one.peer.name, "reason": one.reason} for one in results.missing],
        "left_out": list(results.left_out),
        "left": _left_json(results.left),
    }


def _score_json(score: Score) -> dict[str, Any]:
    one = score.entrant
    return {
        "name": one.name,
        "is_peer": one.is_peer,
        "called": one.called,
        "learned": one.learned,
        "parameters": one.parameters or None,
        "images_per_s": one.images_per_s,
        "images_per_core_s": one.images_per_core_s,
        "accuracy": {name: share.model_dump() for name, share in score.shares.items()},
        "to_best": score.to_best and score.to_best.model_dump(),
    }


def _left_json(left: Left) -> dict[str, Any]:
    noise = left.noise
    rows = _noise_rows(noise) if noise else []
    return {
        "model": left.entrant.name,
        "temperature": left.temperature,
        "metrics": left.metrics.model_dump(),
        "near_copies": left.near_copies and left.near_copies.model_dump(),
        "label_noise": {text: share.model_dump() for text, share in rows if share},
    }


def _ends(value: float, interval: tuple[float, float] | None) -> str:
    if interval is None:
        return f"{100 * value:.1f}"
    return f"{100 * value:.1f} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def _difference(found: PairedDifference | None, otherwise: str) -> list[str]:
    if found is None:
        return [otherwise, ""]
    points = f"{100 * found.difference:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
    return [points, f"{found.p_value:.2g}"]


def _millions(parameters: int) -> str:
    if not parameters:
        return "-"
    return f"{parameters / 1e6:.2f} M"


def entrant_line(one: Entrant) -> str:
    """A progress line."""
    return f"{one.name}: {one.seconds:.1f} s for {len(one.probs_NK):,} images"
