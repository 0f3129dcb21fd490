"""`ferflow store size` and `ferflow store gc`: what takes space, and the removal of what is old."""

from typing import TYPE_CHECKING

import click

from deployments.cli.options import store_option
from deployments.cli.output import Produced, print_facts, print_table, progress_display
from deployments.cli.output import reporting_command as reporting
from deployments.cli.runs.texts import count_text
from deployments.cli.store.existing import existing_store, refuse_empty, refuse_foreign
from fer_models.storage.upkeep.config import RetentionConfig

if TYPE_CHECKING:
    from fer_models.storage.upkeep.plan import CollectionPlan

_DEFAULTS = RetentionConfig()
_MEGABYTE = 1e6


@click.command()
@store_option
@reporting
def size(store_url: str | None) -> Produced:
    """Show the size of a store by kind of artifact and by run.

    A file that several artifacts share is counted once. "own" is what no other run needs.

    \b
    ferflow store size
    """  # noqa: D301 - click keeps the lines of a paragraph that starts with \b
    from fer_models.storage.upkeep.sizes import measure_store

    store = existing_store(store_url)
    sizes = measure_store(store)
    if not sizes.kinds:
        refuse_empty(store)
    kinds = [[one.kind, str(one.count), megabytes(one.num_bytes)] for one in sizes.kinds]
    print_table(f"{store.url}: {megabytes(sizes.num_bytes)} MB", ["kind", "number", "MB"], kinds)
    if sizes.runs:
        runs = [[one.run, megabytes(one.num_bytes), megabytes(one.own_bytes)] for one in sizes.runs]
        print_table("Runs, the newest first", ["run", "MB", "own MB"], runs)
    return sizes.as_json()


@click.command()
@click.option("--delete", is_flag=True, help="Delete; without it, only list what would be deleted.")
@click.option(
    "--keep-days",
    type=click.FloatRange(min=0),
    default=_DEFAULTS.keep_days,
    show_default=True,
    help="Keep what was written or used in the last days.",
)
@click.option(
    "--keep-runs",
    type=click.IntRange(min=0),
    default=_DEFAULTS.keep_runs,
    show_default=True,
    help="Keep the newest runs, however old they are.",
)
@click.option(
    "--min-age-h",
    type=click.FloatRange(min=0),
    default=_DEFAULTS.min_age_h,
    show_default=True,
    help="Keep what is younger, in hours, whatever --keep-days says.",
)
@store_option
@reporting
def gc(
    delete: bool, keep_days: float, keep_runs: int, min_age_h: float, store_url: str | None
) -> Produced:
    """List, and with --delete remove, what nothing needs any more.

    Kept are the champions and the models before them, all other aliases, the newest runs, what was
    written or used lately, what running runs have written or used, the latest output of each step,
    people's decisions, an open review, and everything that these refer to.

    \b
    ferflow store gc                                  list what would be deleted
    ferflow store gc --delete                         delete it
    ferflow store gc --keep-days 7 --keep-runs 3 --delete
    """  # noqa: D301 - click keeps the lines of a paragraph that starts with \b
    from fer_models.storage.upkeep.collect import collect
    from fer_models.storage.upkeep.plan import plan_collection

    store = existing_store(store_url)
    refuse_foreign(store)
    retention = RetentionConfig(keep_days=keep_days, keep_runs=keep_runs, min_age_h=min_age_h)
    with progress_display():
        plan = collect(store, retention) if delete else plan_collection(store, retention)
    _show(plan, store.url, deleted=delete)
    return plan.as_json() | {"deleted": delete}


def megabytes(num_bytes: int) -> str:
    """Bytes as megabytes, with one decimal.

    Example:
        megabytes(1_234_567)  # "1.2"
    """
    return f"{num_bytes / _MEGABYTE:.1f}"


def _show(plan: "CollectionPlan", url: str, *, deleted: bool) -> None:
    kinds: dict[str, list[int]] = {}
    for garbage in plan.artifacts:
        kinds.setdefault(garbage.kind, []).append(garbage.num_bytes)
    rows = [[kind, str(len(sizes)), megabytes(sum(sizes))] for kind, sizes in kinds.items()]
    if rows:
        title = f"{'Deleted' if deleted else 'Would be deleted'} from {url}"
        print_table(title, ["kind", "number", "MB"], rows)
    others = len(plan.results) + len(plan.leftovers) + len(plan.abandoned)
    print_facts(
        {
            "deleted" if deleted else "to delete": f"{megabytes(plan.num_bytes)} MB: "
            f"{count_text(len(plan.artifacts), 'artifact')}, "
            f"{count_text(len(plan.records), 'run')}, {count_text(others, 'other object')}",
            "kept": f"{megabytes(plan.kept_bytes)} MB",
            **{f"  {reason}": count_text(n, "artifact") for reason, n in plan.kept.items()},
        }
    )
    if not deleted and plan.num_bytes:
        click.echo("nothing was deleted: add --delete")
