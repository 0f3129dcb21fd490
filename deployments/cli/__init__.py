"""The command line. Only click is imported until a command runs, so that --help is quick."""

import importlib
from collections.abc import Mapping

import click

# Command -> (module, one line for the list of commands).
_COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("deployments.cli.run", "Run the whole pipeline: data to champion and report."),
    "task": ("deployments.cli.task.group", "Run one step alone, without a server."),
    "review": (
        "deployments.cli.review",
        "Write the page on which a person decides about doubtful images.",
    ),
    "predict": ("deployments.cli.predict", "Predict the expressions of faces in pictures."),
    "up": ("deployments.cli.up", "Start Prefect with its UI and serve the deployments."),
    "recipes": ("deployments.cli.recipes", "List the recipes, or print one in full."),
    "models": (
        "deployments.cli.models.group",
        "List networks; show the champion, its history, roll back.",
    ),
    "doctor": (
        "deployments.cli.doctor",
        "Look at this machine and the services; say what to mend.",
    ),
}


class _LazyGroup(click.Group):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All commands, in the order a newcomer needs them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, its module imported; None for an unknown name."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(_COMMANDS[cmd_name][0])
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 bad input or configuration, 3 a gate said no.",
)
@click.version_option(package_name="ferflow")
def main() -> None:
    """ferflow: facial expression recognition, from a pile of images to a promoted model.

    Start with `ferflow run` (synthetic faces, nothing to set up), then
    `ferflow run --data fer2013.csv --recipe fer2013`.
    """
