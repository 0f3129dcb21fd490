"""`ferflow models list` and `summary`: which networks there are, and what they are made of."""

from typing import TYPE_CHECKING, Any

import click

from deployments.cli.output import Produced, print_facts, print_table
from deployments.cli.output import reporting_command as reporting
from deployments.environment import set_quiet_defaults

if TYPE_CHECKING:
    from fer_models.models.summary import Layer, NetworkSummary

_NOTHING = "-"


@click.command(name="list")
@click.option(
    "--timm",
    "pattern",
    metavar="PATTERN",
    help="Names of timm's networks that hold PATTERN, or match it: 'vgg', '*resnet*50*'.",
)
@reporting
def list_networks(pattern: str | None) -> Produced:
    """List the own networks and eight of timm's, or the names of all of timm's that match.

    Multiply-adds are for one image of the network's usual size, with 7 classes. Every network can
    be trained at another size: `ferflow models summary NAME --size 48 --channels 1`.
    """
    set_quiet_defaults()
    from fer_models.models.catalogue import BASELINES, timm_names, usual_config
    from fer_models.models.factory import OWN_NETWORKS
    from fer_models.models.summary import summarize

    if pattern is not None:
        names = timm_names(pattern)
        click.echo("\n".join(names))
        return {"timm": names}
    summaries = [summarize(usual_config(name)) for name in (*OWN_NETWORKS, *BASELINES)]
    columns = ["network", "usual input", "parameters", "multiply-adds"]
    rows = [
        [summed.config.name, _input(summed), f"{summed.parameters:,}", f"{summed.multiply_adds:,}"]
        for summed in summaries
    ]
    print_table("Networks (all of timm's: ferflow models list --timm '*')", columns, rows)
    return {"networks": [_totals(summed) for summed in summaries]}


@click.command()
@click.argument("name")
@click.option("--size", "image_size_px", type=int, metavar="PX", help="Side of the images.")
@click.option("--channels", "in_channels", type=int, metavar="1|3", help="Of the images.")
@click.option("--width", type=float, metavar="W", help="Channel multiplier of our own networks.")
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Layers within layers to show.",
)
@reporting
def summary(
    name: str,
    image_size_px: int | None,
    in_channels: int | None,
    width: float | None,
    depth: int,
) -> Produced:
    """Show the layers of network NAME: output shape, parameters, multiply-adds for one image.

    Without --size and --channels it is given its usual input, as in `ferflow models list`. A
    layer's amounts are its own and those of the layers in it that are not shown, so that each
    column sums to its total.
    """
    set_quiet_defaults()
    from fer_models.models.catalogue import usual_config
    from fer_models.models.summary import summarize

    config = usual_config(name, image_size_px=image_size_px, in_channels=in_channels, width=width)
    summed = summarize(config, depth)
    columns = ["layer", "output shape", "parameters", "multiply-adds"]
    print_table(f"{name} at {_input(summed)}", columns, [_row(layer) for layer in summed.layers])
    print_facts(
        {
            "parameters": f"{summed.parameters:,}",
            "trainable": f"{summed.trainable:,}",
            "multiply-adds": f"{summed.multiply_adds:,} an image",
            "weights": f"{summed.weights_mb:,.1f} MB in float32",
        }
    )
    return _totals(summed)


def _totals(summed: "NetworkSummary") -> dict[str, Any]:
    return {
        "network": summed.config.name,
        "image_size_px": summed.config.image_size_px,
        "in_channels": summed.config.in_channels,
        "width": summed.config.width,
        "parameters": summed.parameters,
        "trainable": summed.trainable,
        "multiply_adds": summed.multiply_adds,
        "weights_mb": round(summed.weights_mb, 3),
    }


def _row(layer: "Layer") -> list[str]:
    name = layer.name.rpartition(".")[2]
    shape = "x".join(map(str, layer.output_shape)) if layer.output_shape else _NOTHING
    return [
        f"{'  ' * (layer.level - 1)}{name} {layer.kind}".rstrip() if name else layer.kind,
        shape,
        f"{layer.parameters:,}" if layer.parameters else _NOTHING,
        f"{layer.multiply_adds:,}" if layer.multiply_adds else _NOTHING,
    ]


def _input(summed: "NetworkSummary") -> str:
    size = summed.config.image_size_px
    return f"{summed.config.in_channels} x {size} x {size}"
