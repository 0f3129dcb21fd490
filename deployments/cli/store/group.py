"""`ferflow store`: check and repair a store, show its size, delete what nothing needs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from deployments.cli.options import store_option
from deployments.cli.output import Produced, progress_display
from deployments.cli.output import reporting_command as reporting
from deployments.cli.runs.texts import count_text, short_id
from deployments.cli.store.existing import existing_store, refuse_empty
from deployments.cli.store.space import gc, size

if TYPE_CHECKING:
    from fer_models.storage.upkeep.check import CheckedStore, DamagedArtifact

_MOST_USERS = 3


@click.group(name="store")
def command() -> None:
    """Check and repair a store; show what takes space, and delete what nothing needs."""


command.add_command(size)
command.add_command(gc)


@command.command()
@click.option("--deep", is_flag=True, help="Read all files and compare their sha256.")
@click.option(
    "--repair",
    is_flag=True,
    help="Forget damaged artifacts, so that the next run makes them again.",
)
@store_option
@reporting
def check(deep: bool, repair: bool, store_url: str | None) -> Produced:
    """List the artifacts of which a file is missing or damaged, and what refers to them.

    Without --deep the presence and the size of the files are checked. Exit code 2 if damage is
    left, or a champion has no model. A repair leaves people's decisions and labels alone.

    \b
    ferflow store check
    ferflow store check --deep --repair
    """  # noqa: D301 - click keeps the lines of a paragraph that starts with \b
    from fer_models.storage.upkeep.check import check_store, repair_store

    store = existing_store(store_url)
    with progress_display():
        checked = check_store(store, deep=deep)
    if not checked.num_artifacts:
        refuse_empty(store)
    _show(checked, store.url)
    forgotten = repair_store(store, checked) if repair else ()
    if forgotten:
        click.echo(f"forgot {count_text(len(forgotten), 'artifact')}: run again what made them")
    left = [one for one in checked.damaged if one not in forgotten]
    problems = _problems(left, len(checked.lost_aliases))
    if problems:
        click.secho(f"error: {store.url}: {'; '.join(problems)}", err=True, fg="red")
    return {
        "checked": checked.num_artifacts,
        "damaged": [artifact.as_json() for artifact in checked.damaged],
        "forgotten": [f"{artifact.folder}/{artifact.id}" for artifact in forgotten],
        "lost_aliases": checked.lost_aliases,
        "repaired": repair and not left,
        "exit_code": 2 if problems else 0,
    }


def _show(checked: "CheckedStore", url: str) -> None:
    if not checked.num_artifacts:
        click.echo(f"no artifacts in {url}; run the pipeline, or check --store")
    elif not checked.damaged and not checked.lost_aliases:
        click.echo(f"{count_text(checked.num_artifacts, 'artifact')} in {url}: all whole")
    for artifact in checked.damaged:
        used = f" (used by {_users(artifact)})" if artifact.used_by else ""
        click.echo(f"{artifact.folder}/{short_id(artifact.id)}{used}")
        for fault in artifact.faults:
            click.echo(f"  {fault}")
    for remedy in sorted({artifact.remedy for artifact in checked.damaged}):
        folders = sorted({one.folder for one in checked.damaged if one.remedy == remedy})
        click.echo(f"{', '.join(folders)}: {remedy}")
    for alias, model_id in checked.lost_aliases.items():
        click.echo(
            f"{alias} points to {model_id}, which is missing or damaged: run it again, or "
            "go back with `ferflow models rollback`"
        )


def _users(artifact: "DamagedArtifact") -> str:
    names = [_short(name) for name in artifact.used_by[:_MOST_USERS]]
    more = len(artifact.used_by) - len(names)
    return ", ".join([*names, *([f"{more} more"] if more else [])])


def _short(name: str) -> str:
    folder, separator, artifact_id = name.partition("/")
    return f"{folder}/{short_id(artifact_id)}" if separator else name


def _problems(left: Sequence["DamagedArtifact"], num_lost: int) -> list[str]:
    """What is still wrong, and what to do about it."""
    num_lasting = sum(artifact.is_peoples_work for artifact in left)
    num_others = len(left) - num_lasting
    problems = []
    if num_others:
        damaged = count_text(num_others, "damaged artifact")
        problems.append(f"{damaged}; add --repair, then run again what made them")
    if num_lasting:
        damaged = count_text(num_lasting, "damaged artifact")
        problems.append(f"{damaged} that no run makes again; restore the files from a backup")
    if num_lost:
        problems.append(f"{count_text(num_lost, 'champion')} without a model")
    return problems
