"""`ferflow models reproduce`: train a shipped weight bundle again."""

import shlex
from pathlib import Path

import click

from deployments.cli.options import weights_option
from deployments.cli.output import Produced, print_facts
from deployments.cli.output import reporting_command as reporting
from deployments.reproduction.ways import WAYS
from fer_models.errors import ConfigError

_STORE = ".ferflow/reproduced"


@click.command()
@click.argument("name", metavar="NAME", type=click.Choice(sorted(WAYS)))
@click.option(
    "--data",
    "sources",
    multiple=True,
    required=True,
    metavar="PATH",
    help="FER2013, and FER+'s votes: tables or archives; repeatable.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reproduced"),
    show_default=True,
    help="Folder that receives the bundle.",
)
@click.option(
    "--store",
    "store_url",
    metavar="URL",
    help=f"Folder or s3://bucket/prefix of its own.  [default: {_STORE}/NAME]",
)
@click.option("--seed", type=click.IntRange(min=0), help="Random seed.  [default: the recipe's]")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change a setting of all steps, such as training.threads=1; repeatable.",
)
@weights_option
@click.option("--dry-run", is_flag=True, help="Print the commands, and run none.")
@reporting
def reproduce(
    name: str,
    sources: tuple[str, ...],
    out: Path,
    store_url: str | None,
    seed: int | None,
    assignments: tuple[str, ...],
    weights_dir: str | None,
    dry_run: bool,
) -> Produced:
    """Train the shipped weights NAME again, from the data to a weight bundle.

    It runs the commands that trained them, in a store of its own (`.ferflow/reproduced/NAME`), and
    prints each. A killed command continues when it is repeated. Processors round differently, so
    the weights are not the same; the accuracy is, within chance.
    """
    from deployments.reproduction.run import Reproduction
    from fer_models.bundles.shipped import shipped_facts

    store = store_url or f"{_STORE}/{name}"
    plan = Reproduction(name, WAYS[name], sources, store, out, seed, assignments, weights_dir)
    if weights_dir is not None and not any(one.loads_file for one in WAYS[name].commands):
        raise ConfigError(
            f"--weights-dir: {name} does not start from a file of weights; leave the option out"
        )
    shipped = shipped_facts()[name]
    if dry_run:
        commands = [line for _, line in plan.commands(_Placeholders())]
        for line in commands:
            click.echo(f"ferflow {shlex.join(line)}")
        return {"commands": commands}
    click.echo(
        f"The shipped ones took {shipped.train_seconds:,.0f} s on {shipped.machine}.", err=True
    )
    facts = plan.run(lambda line: click.echo(f"$ {line}", err=True))
    accuracy = {split: one["accuracy"] for split, one in facts["accuracy"].items()}
    before = {split: one.accuracy for split, one in shipped.accuracy.items()}
    print_facts(
        {
            "bundle": f"{out / name}.json",
            **{
                split: f"{100 * value:.2f} %"
                + (f" (shipped: {100 * before[split]:.2f} %)" if split in before else "")
                for split, value in accuracy.items()
            },
        }
    )
    return {**facts, "shipped_accuracy": before}


class _Placeholders(dict[str, str]):
    """Names in place of the ids that are not known yet."""

    def __missing__(self, key: str) -> str:
        return key.upper()
