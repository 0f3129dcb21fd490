"""`ferflow models compare`: two stored models on the same images."""

from typing import TYPE_CHECKING

import click

from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced, print_facts, print_table
from deployments.cli.output import reporting_command as reporting
from deployments.cli.runs.compare import COLUMNS, difference_cells
from fer_models.inference.open_model import stored_model

if TYPE_CHECKING:
    from fer_models.history.comparison.models import Split, SplitComparison


@click.command()
@click.argument("model_a", metavar="A")
@click.argument("model_b", metavar="B")
@click.option(
    "--split",
    type=click.Choice(["test", "validation"]),
    help="Images to compare on.  [default: both]",
)
@store_option
@reporting
def compare(model_a: str, model_b: str, split: "Split | None", store_url: str | None) -> Produced:
    """Compare model B with model A (ids, or `champion`) on the images that both have in a split.

    \b
    ferflow models compare champion compact_cnn-49ecd1a7ef75
    """  # noqa: D301 - click's marker for a paragraph that keeps its line breaks
    from fer_models.history.comparison.models import SPLITS, compare_models

    store = open_store(store_url)
    a, b = stored_model(store, model_a), stored_model(store, model_b)
    result = compare_models(store, a, b, (split,) if split else SPLITS)
    facts = {"A": result.a, "B": result.b}
    for part in result.splits:
        rows = [difference_cells("all", part.overall)]
        rows += [difference_cells(name, one) for name, one in part.classes.items()]
        print_table(f"The same {part.split} images, in percent", list(COLUMNS), rows)
        facts[part.split] = _verdict(part)
    print_facts(facts)
    return result.model_dump(mode="json")


def _verdict(part: "SplitComparison") -> str:
    one, common = part.overall, part.common
    if one.is_significant:
        verdict = "B is better" if one.difference > 0 else "B is worse"
    else:
        verdict = "no difference beyond chance"
    left_out = common.only_a + common.only_b + common.relabelled
    rest = f"; {left_out:,} images that differ between the datasets left out" if left_out else ""
    if common.seen:
        rest += f"; {common.seen:,} that one of them was trained on left out"
    rest += "".join(f"; {sentence}" for sentence in part.unknown)
    return (
        f"{verdict}: {100 * one.difference:+.1f} points [{100 * one.low:+.1f}, "
        f"{100 * one.high:+.1f}], McNemar p = {one.p_value:.2g}, n={one.n:,}; only A is right on "
        f"{one.only_a_correct:,}, only B on {one.only_b_correct:,}{rest}"
    )
