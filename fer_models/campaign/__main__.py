"""Command line of campaigns, for machines that have only the libraries of `fer_models`.

python -m fer_models.campaign pack --store ferflow-store --out faces.pack
python -m fer_models.campaign run --faces faces.pack --work .campaign/work --out .campaign/out
python -m fer_models.campaign merge .campaign/out --store ferflow-store
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fer_models.campaign.commands import list_tasks, merge, pack, run, train
from fer_models.campaign.plan import DEFAULT_PLAN
from fer_models.errors import FerError

_WORK = Path(".campaign/work")
_MERGED = Path(".campaign/merged")
_DONE = Path("docs/campaign-results.json")
_PAGE = Path("docs/campaign.md")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status: 2 for wrong input, 1 if a training failed."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.command(options)
    except FerError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command's output
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    description = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser("python -m fer_models.campaign", description=description)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_pack(commands.add_parser("pack", help="write a snapshot to one small file"))
    _add_run(commands.add_parser("run", help="train what is missing, within a budget"))
    _add_merge(commands.add_parser("merge", help="merge what came back into store and table"))
    _add_list(commands.add_parser("list", help="show the trainings of a plan"))
    _add_train(commands.add_parser("train", help="one training; called by run"))
    return parser


def _add_plan(parser: argparse.ArgumentParser) -> None:
    text = "plan that ferflow ships, or a YAML file"
    parser.add_argument("--plan", default=DEFAULT_PLAN, help=text)


def _add_pack(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", required=True, help="folder or URL of the store")
    parser.add_argument("--snapshot", help="id of a split snapshot, or its beginning")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.set_defaults(command=pack)


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_plan(parser)
    parser.add_argument("--faces", type=Path, required=True, help="file of pack")
    parser.add_argument("--work", type=Path, default=_WORK, help="folder to resume from")
    parser.add_argument("--out", type=Path, required=True, help="folder that comes back")
    parser.add_argument("--budget", type=float, help="seconds; by default the plan's")
    parser.add_argument("--jobs", type=int, default=1, help="trainings side by side")
    parser.add_argument("--done", type=Path, default=_DONE, help="results from other machines")
    parser.add_argument("--again", action="store_true", help="bring everything back once more")
    parser.set_defaults(command=run)


def _add_merge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="+", type=Path, help="folders that came back")
    _add_plan(parser)
    parser.add_argument("--store", help="folder or URL of a store, for the models")
    parser.add_argument("--merged", type=Path, default=_MERGED, help="folder of all results")
    parser.add_argument("--done", type=Path, default=_DONE, help="file of all figures")
    parser.add_argument("--page", type=Path, default=_PAGE, help="page with the table")
    parser.set_defaults(command=merge)


def _add_list(parser: argparse.ArgumentParser) -> None:
    _add_plan(parser)
    parser.add_argument("--done", type=Path, default=_DONE, help="results from other machines")
    parser.set_defaults(command=list_tasks)


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plan", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--snapshot", required=True)
    parser.add_argument("--experiment", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--deadline", type=float, required=True)
    parser.add_argument("--final", action="store_true")
    parser.set_defaults(command=train)


if __name__ == "__main__":
    sys.exit(main())
