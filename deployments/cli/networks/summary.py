"""`ferflow networks list` and `summary`: available networks and their layers."""

import copy
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
    help="List timm's networks that contain PATTERN or match it: 'vgg', '*resnet*50*'.",
)
@reporting
def list_networks(pattern: str | None) -> Produced:
    """List our own networks, dlib's and eight of timm's, or all of timm's that match a pattern.

    Multiply-adds are for one image of the network's usual size and 7 classes. Counts for another
    size: `ferflow networks summary NAME --size 48 --channels 1`.
    """
    set_quiet_defaults()
    from fer_models.models.catalogue import BASELINES, timm_names, usual_config
    from fer_models.models.names import NAMES
    from fer_models.models.summary import summarize

    if pattern is not None:
        names = timm_names(pattern)
        click.echo("\n".join(names))
        return {"timm": names}
    summaries = [summarize(usual_config(name)) for name in (*NAMES, *BASELINES)]
    columns = ["network", "usual input", "parameters", "multiply-adds"]
    rows = [
        [
            network.config.name,
            _input(network),
            f"{network.parameters:,}",
            f"{network.multiply_adds:,}",
        ]
        for network in summaries
    ]
    print_table("Networks (all of timm's: ferflow networks list --timm '*')", columns, rows)
    return {"networks": [_totals(network) for network in summaries]}


@click.command()
@click.argument("name")
@click.option("--size", "image_size_px", type=int, metavar="PX", help="Side of the input.")
@click.option("--channels", "in_channels", type=int, metavar="1|3", help="Input channels.")
@click.option("--width", type=float, metavar="W", help="Channel multiplier, own networks only.")
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Levels of nested layers to show.",
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

    By default it gets its usual input, as in `ferflow networks list`. A layer's counts include
    those of its sublayers that are not shown, so every column adds up to its total.
    """
    set_quiet_defaults()
    from fer_models.models.catalogue import usual_config
    from fer_models.models.summary import summarize

    config = usual_config(name, image_size_px=image_size_px, in_channels=in_channels, width=width)
    network = summarize(config, depth)
    columns = ["layer", "output shape", "parameters", "multiply-adds"]
    print_table(f"{name} at {_input(network)}", columns, [_row(layer) for layer in network.layers])
    print_facts(
        {
            "parameters": f"{network.parameters:,}",
            "trainable": f"{network.trainable:,}",
            "multiply-adds": f"{network.multiply_adds:,} per image",
            "weights": f"{network.weights_mb:,.1f} MB in float32",
        }
    )
    return _totals(network)


# As it was called before; kept out of the help.
hidden_summary = copy.copy(summary)
hidden_summary.hidden = True


def _totals(network: "NetworkSummary") -> dict[str, Any]:
    return {
        "network": network.config.name,
        "image_size_px": network.config.side_px,
        "in_channels": network.config.input_channels,
        "width": network.config.width,
        "parameters": network.parameters,
        "trainable": network.trainable,
        "multiply_adds": network.multiply_adds,
        "weights_mb": round(network.weights_mb, 3),
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


def _input(network: "NetworkSummary") -> str:
    size = network.config.side_px
    return f"{network.config.input_channels} x {size} x {size}"
