"""The section about the run itself: when, how long, on what machine, with which settings."""

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fer_models.lineage import machine_text
from fer_models.reporting.collect import RunFacts
from fer_models.reporting.execution import Execution, StepTime

_EVALUATE = "evaluate-"
_TRAIN = "train-"
_MINUTE_S, _HOUR_S = 60, 3600


@dataclass(frozen=True)
class StepRow:
    """A step of the table of times; `share` is of the longest step, for its bar (0..1)."""

    name: str
    note: str
    seconds: float | None
    share: float
    cached: bool
    made_by: str


@dataclass(frozen=True)
class RunSection:
    """Texts of the section; times and cost are empty without a recorded execution."""

    facts: list[tuple[str, str]]
    lineage: list[tuple[str, str]]
    steps: list[StepRow]
    command: str
    summary: str
    """One line for the head of the page."""
    cost: str


def run_section(facts: RunFacts) -> RunSection:
    """The section of a run."""
    execution = facts.execution
    lineage = _lineage(facts)
    if execution is None:
        return RunSection(_data_facts(facts), lineage, [], "", "", "")
    machine = machine_text(execution.machine)
    date, took = moment(execution.started_s), duration(execution.seconds)
    known = [
        ("started", date),
        ("duration", f"{took}, until this page was written"),
        ("machine", ", ".join(part for part in (execution.host, machine) if part)),
        ("cost", compute_cost(execution)),
        ("started as", f"flow {execution.flow}"),
        ("record", execution.id),
    ]
    return RunSection(
        facts=[*((name, text) for name, text in known if text), *_data_facts(facts)],
        lineage=lineage,
        steps=step_rows(execution.steps),
        command=execution.command,
        summary=" · ".join(part for part in (date, took, machine) if part),
        cost=compute_cost(execution),
    )


def step_rows(steps: Sequence[StepTime]) -> list[StepRow]:
    """One row for each step, the evaluations together; the longest step has the share 1."""
    groups = [
        (key, list(members))
        for key, members in itertools.groupby(steps, lambda one: _group(one.step))
    ]
    totals = [_total(members) for _, members in groups]
    longest = max((total for total in totals if total is not None), default=0.0)
    return [
        StepRow(
            name=name,
            note=f"{len(members)} models" if len(members) > 1 else "",
            seconds=total,
            share=(total or 0.0) / longest if longest else 0.0,
            cached=all(one.cached for one in members),
            made_by=members[0].made_by if len({one.made_by for one in members}) == 1 else "",
        )
        for (name, members), total in zip(groups, totals, strict=True)
    ]


def compute_cost(execution: Execution) -> str:
    """Core-hours of the execution, and GPU-hours if there are GPUs; empty if unknown.

    Example:
        compute_cost(execution)  # "0.06 core-hours (2 cores for 1 min 48 s)"
    """
    cores, gpus = execution.machine.get("cores"), execution.machine.get("gpus")
    hours, took = execution.seconds / _HOUR_S, duration(execution.seconds)
    parts = []
    if isinstance(cores, int):
        parts.append(f"{_hours(hours * cores)} core-hours ({_plural(cores, 'core')} for {took})")
    if isinstance(gpus, list) and gpus:
        parts.append(f"{_hours(hours * len(gpus))} GPU-hours ({_plural(len(gpus), 'GPU')})")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Such as `0.4 s`, `38 s`, `1 min 48 s` or `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"
    return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"


def moment(time_s: float) -> str:
    """A time in UTC, such as `28 November 2026, 12:20 UTC`."""
    when = dt.datetime.fromtimestamp(time_s, tz=dt.UTC)
    return f"{when.day} {when:%B %Y, %H:%M} UTC"


def _group(step: str) -> str:
    return _EVALUATE.removesuffix("-") if step.startswith(_EVALUATE) else step


def _total(steps: Sequence[StepTime]) -> float | None:
    known = [one.seconds for one in steps if one.seconds is not None]
    return sum(known) if known else None


def _hours(hours: float) -> str:
    return f"{hours:.2f}" if hours < 10 else f"{hours:.0f}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"


def _data_facts(facts: RunFacts) -> list[tuple[str, str]]:
    return [("recipe", facts.config.name), ("seed", str(facts.config.seed))]


def _lineage(facts: RunFacts) -> list[tuple[str, str]]:
    source = facts.candidate.lineage
    code = source.get("code") or {}
    revision = code.get("revision") or "not a git checkout"
    packages = source.get("packages") or {}
    known: list[tuple[str, Any]] = [
        ("dataset", facts.snapshot.ref.id),
        ("candidate", facts.candidate.metrics.model_id),
        ("code revision", revision + (" (with uncommitted changes)" if code.get("dirty") else "")),
        ("ferflow", str(source.get("ferflow"))),
        ("trained on", machine_text(source.get("machine") or {})),
        ("Python", str(source.get("python"))),
        ("platform", str(source.get("platform"))),
        ("packages", ", ".join(f"{name} {v}" for name, v in packages.items() if v)),
        ("store", facts.refs.snapshot.store_url),
    ]
    return [(name, text) for name, text in known if text]
