"""`ferflow runs`: list, show, compare and open the runs of a store."""

import click

from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced, print_table
from deployments.cli.output import reporting_command as reporting
from deployments.cli.runs.compare import compare
from deployments.cli.runs.open import open_report
from deployments.cli.runs.show import show
from deployments.cli.runs.texts import NOTHING, accuracy_text, duration, warn
from fer_models.errors import ConfigError
from fer_models.history.record import RunRecord

_DEFAULT_LIMIT = 20


@click.group(name="runs")
def command() -> None:
    """List, show, compare and open what was run before.

    RUN is an id or its beginning, a name, `latest`, or `latest~1` for the one before.

    \b
    ferflow runs list
    ferflow runs show latest
    ferflow runs compare latest~1 latest --out compare.html
    ferflow runs open
    """  # noqa: D301 - click's marker for a paragraph that keeps its line breaks


@command.command(name="list")
@click.option("--recipe", help="Only runs of this recipe.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_DEFAULT_LIMIT,
    show_default=True,
    help="Show at most this many.",
)
@click.option("--promoted", is_flag=True, help="Only runs whose candidate became the champion.")
@store_option
@reporting
def list_command(recipe: str | None, limit: int, promoted: bool, store_url: str | None) -> Produced:
    """List the runs, the newest first, with the accuracy of their candidates."""
    from fer_models.history.runs import list_runs

    store = open_store(store_url)
    # Only an unfiltered list knows how many records it needs.
    history = list_runs(store, None if recipe or promoted else limit)
    if recipe is not None:
        _check_recipe(recipe, history.runs)
    runs = [
        run
        for run in history.runs
        if (recipe is None or run.recipe == recipe) and (run.promoted or not promoted)
    ][:limit]
    warn(history.warnings)
    columns = ["run", "name, flow", "state, time", "accuracy in %"]
    print_table(
        f"Runs in {store.url} (★ became the champion)", columns, [_row(run) for run in runs]
    )
    if not history.runs:
        click.echo("no runs yet: start one with `ferflow run`, or check --store")
    return {
        "runs": [run.model_dump(mode="json", exclude={"config"}) for run in runs],
        "warnings": list(history.warnings),
    }


def _row(run: RunRecord) -> list[str]:
    """Two lines for each run, so that four columns fit into 80 characters."""
    headline = run.headline
    measured = accuracy_text(headline, with_n=False)
    return [
        run.id,
        f"{run.name or NOTHING}\n{run.flow}",
        f"{run.state}{' ★' if run.promoted else ''}\n{duration(run.seconds)}",
        f"{measured}\nn={headline.n} {headline.split}" if headline else NOTHING,
    ]


def _check_recipe(recipe: str, runs: tuple[RunRecord, ...]) -> None:
    known = sorted({run.recipe for run in runs})
    if runs and recipe not in known:
        raise ConfigError(
            f"--recipe {recipe}: no run of this recipe; the runs are of {', '.join(known)}"
        )


command.add_command(show)
command.add_command(compare)
command.add_command(open_report)
