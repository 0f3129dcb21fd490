"""What the commands print: tables for people, one JSON line for programs, errors without noise."""

import functools
import inspect
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec

import click

from fer_models.errors import FerError
from fer_models.progress import Progress, listening

P = ParamSpec("P")
Produced = dict[str, Any]
_json_stdout: ContextVar[int | None] = ContextVar("ferflow_json_stdout", default=None)


def reporting_command(function: Callable[P, Produced]) -> Callable[P, None]:
    """Give a command `--json` and `--verbose`, and turn its outcome into an exit code.

    The function returns what it produced (ids, URIs, counts, metrics). With `--json` that is the
    last line of stdout; everything else goes to stderr. Under the key "exit_code" it may set the
    exit code of a run that ended in a gate's no.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        as_json = bool(kwargs.pop("as_json"))
        verbose = bool(kwargs["verbose"])
        if "verbose" not in inspect.signature(function).parameters:
            kwargs.pop("verbose")
        with _stdout_for(as_json):
            produced, code = _outcome(lambda: function(*args, **kwargs), verbose)
        code = int(produced.pop("exit_code", code))
        if as_json:
            click.echo(json.dumps(produced, sort_keys=True))
        sys.stdout.flush()
        raise SystemExit(code)

    decorated = click.option(
        "--verbose", is_flag=True, help="Show the logs of all libraries, and tracebacks."
    )(run)
    return click.option(
        "--json", "as_json", is_flag=True, help="Last line on stdout: one JSON object."
    )(decorated)


def _outcome(call: Callable[[], Produced], verbose: bool) -> tuple[Produced, int]:
    try:
        return call(), 0
    except (click.exceptions.Exit, click.ClickException, SystemExit):
        raise
    except FerError as error:
        _say_error(str(error), verbose)
        problem = {"error": error.message, "problems": list(error.problems)}
        return {**problem, "kind": type(error).__name__}, error.exit_code
    except KeyboardInterrupt:
        click.echo("stopped; run the same command again to go on", err=True)
        return {"error": "stopped", "problems": [], "kind": "KeyboardInterrupt"}, 130
    except Exception as error:  # noqa: BLE001 - the last line of defence: say it in one line
        name = type(error).__name__
        _say_error(f"{name}: {error} (run with --verbose for the traceback)", verbose)
        return {"error": str(error), "problems": [], "kind": name}, 1


def _say_error(text: str, verbose: bool) -> None:
    if verbose:
        traceback.print_exc()
    click.secho(f"error: {text}", err=True, fg="red")


def announce(produced: Produced) -> None:
    """One JSON line on stdout from a command that goes on; nothing without `--json`."""
    stdout = _json_stdout.get()
    if stdout is not None:
        os.write(stdout, (json.dumps(produced, sort_keys=True) + "\n").encode())


@contextmanager
def _stdout_for(as_json: bool) -> Iterator[None]:
    """Send everything printed meanwhile to stderr, child processes too, when JSON is wanted."""
    if not as_json:
        yield
        return
    sys.stdout.flush()
    keep = os.dup(1)
    os.dup2(2, 1)
    token = _json_stdout.set(keep)
    try:
        yield
    finally:
        _json_stdout.reset(token)
        sys.stdout.flush()
        os.dup2(keep, 1)
        os.close(keep)


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """A table on stdout; the first column to the left, the others to the right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", no_wrap=number == 0)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def print_facts(facts: Mapping[str, str]) -> None:
    """`name: value` lines on stdout, aligned."""
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        click.echo(f"{name:>{width}}  {value}")


@contextmanager
def progress_display() -> Iterator[None]:
    """Show progress on stderr: live bars on a terminal, plain lines elsewhere."""
    if sys.stderr.isatty():
        with _live_bars() as listener, listening(listener):
            yield
    else:
        with listening(_Lines()):
            yield


class _Lines:
    """One line a change, at most every two seconds a stage."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._last: dict[str, float] = {}

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        is_end = progress.total > 0 and progress.done >= progress.total
        if not is_end and now - self._last.get(progress.stage, -9.0) < 2.0:
            return
        self._last[progress.stage] = now
        parts = (progress.stage, progress.amount, progress.note)
        text = "  ".join(part for part in parts if part)
        click.echo(f"[{now - self._start:6.1f} s] {text}", err=True)


@contextmanager
def _live_bars() -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    bars = Bars(
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[amount]:>20}"),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[note]}"),
        console=Console(stderr=True),
    )
    ids: dict[str, TaskID] = {}

    def show(progress: Progress) -> None:
        if progress.stage not in ids:
            ids[progress.stage] = bars.add_task(progress.stage, amount="", note="", total=None)
        if progress.unit == "":  # a stage's begin or end: what it counted stays in sight
            total = max(bars.tasks[ids[progress.stage]].total or 0.0, 1.0)
            is_end = progress.total > 0
            bars.update(
                ids[progress.stage],
                completed=total if is_end else 0.0,
                total=total if is_end else None,
                note=progress.note,
            )
            return
        bars.update(
            ids[progress.stage],
            completed=progress.done,
            total=progress.total or None,
            amount=progress.amount,
            note=progress.note,
        )

    with bars:
        yield show
