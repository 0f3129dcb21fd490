"""`ferflow runs show`: one run in full."""

from typing import Any

import click

from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced, print_facts, print_table
from deployments.cli.output import reporting_command as reporting
from deployments.cli.runs.texts import (
    NOTHING,
    accuracy_text,
    duration,
    moment,
    size_text,
    value_text,
)
from fer_models.history.leaderboard import SPLITS, STRICTER, LeaderboardRow
from fer_models.history.record import RunArtifacts, RunRecord
from fer_models.history.settings import SettingChange
from fer_models.storage.refs import ArtifactRef, ExplorationRef, RunRef, ValidationRef
from fer_models.storage.store import ArtifactStore


@click.command()
@click.argument("run", metavar="[RUN]", default="latest")
@store_option
@reporting
def show(run: str, store_url: str | None) -> Produced:
    """Show RUN, by default the latest: settings, models, outcome, artifacts, how to repeat it."""
    from deployments.cli.runs.repeat import base_recipe, changed_settings, repeat_command
    from fer_models.history.leaderboard import leaderboard
    from fer_models.history.runs import find_run

    store = open_store(store_url)
    record = find_run(store, run)
    rows = leaderboard(store, record)
    changes = changed_settings(record) if record.config else ()
    facts = {
        "reports": _reports(store, record.artifacts),
        "repeat": repeat_command(record, store_url) if record.config else "",
    }
    _show(record, rows, changes, base_recipe(record) if record.config else "", facts)
    return {
        **record.model_dump(mode="json"),
        "leaderboard": [row.model_dump(mode="json") for row in rows],
        "changes": [change.model_dump(mode="json") for change in changes],
        **facts,
    }


def _show(
    record: RunRecord,
    rows: tuple[LeaderboardRow, ...],
    changes: tuple[SettingChange, ...],
    recipe: str,
    facts: dict[str, Any],
) -> None:
    print_facts(_about(record))
    if changes:
        print_table(
            f"Settings that differ from the recipe {recipe}",
            ["setting", "recipe", "this run"],
            [[one.path, value_text(one.before), value_text(one.after)] for one in changes],
        )
    if rows:
        _print_leaderboard(rows)
    print_table("Artifacts", ["kind", "id"], _artifact_rows(record.artifacts))
    print_facts({**facts["reports"], "repeat": facts["repeat"] or NOTHING})


def _about(record: RunRecord) -> dict[str, str]:
    trigger = f" (by {record.trigger})" if record.trigger else ""
    started = f"{moment(record.started_s)} UTC, took {duration(record.seconds)}"
    facts = {
        "run": record.id + ("" if record.recorded else " (no record: from its report)"),
        "name": record.name,
        "flow": f"{record.flow}{trigger}",
        "started": started if record.started_s is not None else "",
        "ended": f"{moment(record.ended_s)} UTC" if record.started_s is None else "",
        "state": record.state,
        "verdict": _verdict(record),
        "message": record.message or NOTHING,
        "data": ", ".join(record.data) or NOTHING,
        "seed": value_text(record.seed),
        "machine": ", ".join(part for part in (record.host, record.hardware) if part) or NOTHING,
        "ferflow": record.revision or NOTHING,
        "Prefect": record.flow_run_id or NOTHING,
    }
    return {name: value for name, value in facts.items() if value}


def _verdict(record: RunRecord) -> str:
    verdicts = {True: "promoted to champion", False: "not promoted", None: "nothing was decided"}
    if record.headline is None:
        return verdicts[record.promoted]
    measured = f"{accuracy_text(record.headline)} on {record.headline.split}"
    return f"{record.headline.candidate}: {verdicts[record.promoted]}; {measured}"


def _print_leaderboard(rows: tuple[LeaderboardRow, ...]) -> None:
    """Two lines for each model, so that the table fits into 80 characters.

    Of the sets without copies the strictest one; `--json` has all of them.
    """
    counts = {split: one.n for row in rows for split, one in row.splits.items()}
    splits = [split for split in SPLITS if split in counts]
    for strict, looser in STRICTER.items():
        if strict in counts and looser in counts:
            splits.remove(looser)
    columns = [f"{split.replace('_', ' ')}\nn={counts[split]}" for split in splits]
    cells = [
        [
            row.name + (" ★" if row.is_candidate else ""),
            size_text(row.parameters),
            *(
                accuracy_text(row.splits.get(split), with_n=False).replace(" ", "\n", 1)
                for split in splits
            ),
        ]
        for row in rows
    ]
    title = "Accuracy in percent with interval (★ candidate)"
    print_table(title, ["model", "size", *columns], cells)


def _artifact_rows(artifacts: RunArtifacts) -> list[list[str]]:
    rows: list[list[str]] = []
    for kind, value in artifacts.model_dump().items():
        if isinstance(value, dict):
            rows += [[f"{kind.removesuffix('s')} {name}", one] for name, one in value.items()]
        elif isinstance(value, tuple):
            rows += [[kind.removesuffix("s"), one] for one in value]
        elif value is not None:
            rows.append([kind, value])
    return rows


def _reports(store: ArtifactStore, artifacts: RunArtifacts) -> dict[str, str]:
    """The pages of a run by name."""
    pages: dict[str, tuple[type[ArtifactRef], str | None]] = {
        "report": (RunRef, artifacts.report),
        "data": (ExplorationRef, artifacts.exploration),
        "data gate": (ValidationRef, artifacts.validation),
    }
    return {
        name: f"{store.artifact_url(ref_type, artifact_id)}/report.html"
        for name, (ref_type, artifact_id) in pages.items()
        if artifact_id is not None
    }
