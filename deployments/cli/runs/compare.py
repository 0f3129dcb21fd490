"""`ferflow runs compare`: what differs between two runs, and whether it changed the accuracy."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced, print_facts, print_table
from deployments.cli.output import reporting_command as reporting
from deployments.cli.runs.texts import accuracy_text, short_id, value_text
from fer_models.errors import ConfigError
from fer_models.output_file import HTML_SUFFIXES, check_output, write_output

if TYPE_CHECKING:
    from fer_models.history.comparison.compare import RunComparison
    from fer_models.history.comparison.models import Split
    from fer_models.history.comparison.paired import PairedDifference

COLUMNS = ("class", "n", "A", "B", "B - A (points)", "only A /\nB correct")


@click.command()
@click.argument("run_a", metavar="A")
@click.argument("run_b", metavar="B")
@click.option(
    "--split",
    type=click.Choice(["test", "validation"]),
    help="Images to compare on.  [default: test, or validation without a common test image]",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.html",
    help="Write the comparison as one page.",
)
@store_option
@reporting
def compare(
    run_a: str, run_b: str, split: "Split | None", out: Path | None, store_url: str | None
) -> Produced:
    """Compare run B with run A: settings, data, and the candidates on the same images.

    \b
    ferflow runs compare latest~1 latest
    ferflow runs compare baseline 20261128T05 --out compare.html
    """  # noqa: D301 - click's marker for a paragraph that keeps its line breaks
    target = None if out is None else check_output(out, HTML_SUFFIXES)
    from fer_models.history.comparison.compare import compare_runs
    from fer_models.history.runs import find_run

    store = open_store(store_url)
    a, b = find_run(store, run_a), find_run(store, run_b)
    if a.id == b.id:
        raise ConfigError(
            f"{run_a} and {run_b} are the same run, {a.id}; name two, see `ferflow runs list`"
        )
    result = compare_runs(store, a, b, split)
    _show(result)
    produced = result.model_dump(mode="json", exclude={"a": {"config"}, "b": {"config"}})
    if target is not None:
        from fer_models.history.comparison.page import comparison_page

        write_output(target, comparison_page(store, result))
        click.echo(f"page  {target}")
        produced["out"] = str(target)
    return produced


def _show(result: "RunComparison") -> None:
    from fer_models.history.comparison.view import common_text, verdict

    changes = [[one.path, value_text(one.before), value_text(one.after)] for one in result.settings]
    print_table("Settings", ["setting", "A", "B"], changes or [["no difference", "", ""]])
    differing = [row for row in result.counts if row.differs]
    snapshots = [[one.name, short_id(one.a), short_id(one.b)] for one in result.snapshots]
    counts = [[one.name, value_text(one.a), value_text(one.b)] for one in differing]
    print_table("Data", ["snapshot, images", "A", "B"], [*snapshots, *counts])
    if result.overall is not None:
        rows = [difference_cells("all", result.overall)]
        rows += [difference_cells(name, one) for name, one in result.classes.items()]
        title = f"Candidates on the same {result.split} images, in percent"
        print_table(title, list(COLUMNS), rows)
    print_facts(
        {
            "A": f"{result.a.id} {result.a.name}: {result.candidate_a or 'no candidate'}",
            "B": f"{result.b.id} {result.b.name}: {result.candidate_b or 'no candidate'}",
            "images": common_text(result),
            "result": verdict(result).text,
        }
    )


def difference_cells(name: str, one: "PairedDifference") -> list[str]:
    """A row of `COLUMNS` in two lines, the interval below: it fits into 80 characters."""
    texts = (
        accuracy_text(one.a, with_n=False),
        accuracy_text(one.b, with_n=False),
        f"{100 * one.difference:+.1f} [{100 * one.low:+.1f}, {100 * one.high:+.1f}]",
    )
    counts = f"{one.only_a_correct} / {one.only_b_correct}"
    return [name, str(one.n), *(text.replace(" ", "\n", 1) for text in texts), counts]
