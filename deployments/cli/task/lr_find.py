"""`ferflow task lr-find`: find a good learning rate for a member."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deployments.cli.options import attempt, config_options, raise_all, weights_option
from deployments.cli.output import Produced, print_facts, progress_display
from deployments.cli.output import reporting_command as reporting
from deployments.cli.outputs import run_option
from deployments.cli.task.step import Step, snapshot_option
from fer_models.errors import ConfigError, FerError
from fer_models.output_file import check_output, replacing

if TYPE_CHECKING:
    from fer_models.training.lr_finder import RateCurve


@click.command(name="lr-find")
@config_options
@weights_option
@snapshot_option
@run_option
@click.option("--member", "name", help="Member to train.  [default: the first]")
@click.option(
    "--steps",
    type=click.IntRange(min=20),
    default=120,
    show_default=True,
    help="Number of learning rates to try.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("learning-rate.png"),
    show_default=True,
    metavar="FILE.png",
    help="File for the plot.",
)
@reporting
def lr_find(
    snapshot_id: str | None, name: str | None, steps: int, out: Path, **options: Any
) -> Produced:
    """Train with a rising learning rate and plot the loss over it."""
    step = Step(options)
    known = [member.name for member in step.config.members]
    errors: list[FerError] = []
    if name is not None and name not in known:
        errors.append(ConfigError(f"--member {name}: expected one of {', '.join(known)}"))
    target = attempt(lambda: check_output(out, (".png",)), errors)
    raise_all(errors)
    assert target is not None
    from fer_models.dataset.snapshot import open_snapshot
    from fer_models.training.inputs.data import training_data
    from fer_models.training.inputs.native_input import with_native_input
    from fer_models.training.lr_finder import ignored_settings
    from fer_models.training.lr_finder import lr_find as search

    ref = step.snapshot(snapshot_id, "split")
    member = with_native_input(step.store, ref, step.config.member(name or known[0]))
    snapshot = open_snapshot(step.store, ref)
    with progress_display():
        curve = search(training_data(snapshot).train, member, step.config.seed, steps)
    _plot(curve, member.name, target)
    facts = {
        "member": member.name,
        "suggested": curve.suggested,
        "lowest_loss_at": curve.lowest,
        "now": member.training.learning_rate,
        "plot": str(target),
    }
    ignored = ignored_settings(member)
    shown = facts | ({"tried without": ", ".join(ignored)} if ignored else {})
    print_facts({k: f"{v:.2g}" if isinstance(v, float) else str(v) for k, v in shown.items()})
    return facts | {"ignored": ignored, "rates": list(curve.rates), "losses": list(curve.losses)}


def _plot(curve: "RateCurve", name: str, out: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(curve.rates, curve.losses)
    axes.axvspan(curve.suggested, curve.lowest, alpha=0.15, label="range of good peak rates")
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss, smoothed")
    axes.set_title(f"{name}: learning-rate range test", fontsize=10)
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    with replacing(out) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
