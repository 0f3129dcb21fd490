"""The command line. Only click is imported until a command runs, which keeps --help fast."""

import importlib
import importlib.util
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

# Command -> (module, help line).
_COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("deployments.cli.run", "Run the whole pipeline, from data to champion and report."),
    "task": ("deployments.cli.task.group", "Run a single step, without a server."),
    "review": (
        "deployments.cli.review.page",
        "Write the page for manual review of doubtful images.",
    ),
    "predict": (
        "deployments.cli.prediction.predict",
        "Predict the facial expressions in images.",
    ),
    "serve": (
        "deployments.cli.prediction.serve",
        "Serve a model over HTTP, with a page to try it.",
    ),
    "predict-batch": (
        "deployments.cli.prediction.predict_batch",
        "Predict the new pictures of folders and buckets, and store the results.",
    ),
    "submit": (
        "deployments.cli.prediction.submit",
        "Write the file of predictions that a challenge asks for.",
    ),
    "runs": ("deployments.cli.runs.group", "List, show, compare and open earlier runs."),
    "drift": ("deployments.cli.drift", "Compare recent images with the champion's training data."),
    "up": ("deployments.cli.up", "Start Prefect with its UI, and serve the deployments."),
    "pages": ("deployments.cli.pages", "Serve the reports and pages of a store to a browser."),
    "automations": (
        "deployments.cli.automations",
        "Set up what a work pool's Prefect server does by itself.",
    ),
    "recipes": (
        "deployments.cli.recipes",
        "List, show and save recipes (configurations of a run).",
    ),
    "models": (
        "deployments.cli.models.group",
        "List, compare and average stored models; change the champion; export, import, reproduce.",
    ),
    "datasets": ("deployments.cli.datasets", "List and show stored datasets."),
    "store": (
        "deployments.cli.store.group",
        "Check a store, and repair it; show its size; delete what is old.",
    ),
    "networks": ("deployments.cli.networks.group", "List and summarise networks to train."),
    "doctor": (
        "deployments.cli.doctor",
        "Check this machine and the services, and suggest fixes.",
    ),
}


_PACKAGES = ("fer_models", "validation", "tasks", "flows")
_ROOT = Path(__file__).parents[2]


class _ShadowedError(click.ClickException):
    exit_code = 2


def check_packages() -> None:
    """Check that ferflow's packages are its own: their names are not rare.

    Raises:
        ClickException: another package comes first on the module search path.
    """
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name)
        found = Path(spec.origin).parent if spec is not None and spec.origin else None
        if found is None or found.resolve() != (_ROOT / name).resolve():
            raise _ShadowedError(
                f"expected ferflow's package {name!r} in {_ROOT}, got "
                f"{found or 'one without code'}; take it off the module search path (PYTHONPATH, "
                "with `python -m` also the folder you are in), or install ferflow into an "
                "environment of its own"
            )


def _print_json(error: click.ClickException) -> None:
    from fer_models.redaction import without_credentials

    message = without_credentials(error.format_message())
    problem = {"error": message, "problems": [], "kind": type(error).__name__}
    click.echo(json.dumps(problem, sort_keys=True))


@contextmanager
def _errors_as_json(is_wanted: bool) -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        if is_wanted:
            _print_json(error)
        raise


class _LazyGroup(click.Group):
    """Imports the module of a command when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All commands, in the order a new user needs them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return the command; None for an unknown name."""
        if cmd_name not in _COMMANDS:
            return None
        check_packages()
        module = importlib.import_module(_COMMANDS[cmd_name][0])
        command: click.Command = module.command
        return command

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read what stands before the command; with `--json`, an error there is JSON as well."""
        with _errors_as_json("--json" in args):
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; with `--json`, an error in its arguments is JSON as well."""
        with _errors_as_json("--json" in ctx.args):
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 success, 1 failure, 2 invalid input or settings, 3 rejected by a gate.",
)
@click.version_option(package_name="ferflow")
def main() -> None:
    """ferflow: facial expression recognition, from labelled images to a promoted model.

    Start with `ferflow run` (synthetic faces, no setup), then
    `ferflow run --data fer2013.csv --recipe fer2013`.
    """
