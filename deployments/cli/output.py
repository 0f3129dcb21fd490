"""Command output: tables for people, one JSON line for programs, one-line errors."""

import functools
import inspect
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn, ParamSpec

import click

from fer_models.errors import FerError
from fer_models.progress import Progress, listening
from fer_models.signals import Terminated, ended_by_sigterm, ignored_signals_sent_again

P = ParamSpec("P")
Produced = dict[str, Any]
_json_stdout: ContextVar[int | None] = ContextVar("ferflow_json_stdout", default=None)


def reporting_command(function: Callable[P, Produced]) -> Callable[P, None]:
    """Add `--json` and `--verbose` to a command, and set its exit code.

    The function returns its results (ids, URLs, counts, metrics). With `--json` they are the last
    line of stdout, and everything else goes to stderr. The key "exit_code" sets the exit code of a
    run that a gate rejected.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        as_json = bool(kwargs.pop("as_json"))
        verbose = bool(kwargs["verbose"])
        if "verbose" not in inspect.signature(function).parameters:
            kwargs.pop("verbose")
        with _stdout_for(as_json), ended_by_sigterm(), ignored_signals_sent_again():
            produced, code = _outcome(lambda: function(*args, **kwargs), verbose)
        code = int(produced.pop("exit_code", code))
        try:
            if as_json:
                click.echo(json.dumps(produced, sort_keys=True))
            sys.stdout.flush()
        except BrokenPipeError:
            _end_unread()
        raise SystemExit(code)

    decorated = click.option("--verbose", is_flag=True, help="Show library logs and tracebacks.")(
        run
    )
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Print the results as JSON, as the last line of stdout.",
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
    except (KeyboardInterrupt, Terminated) as error:
        what, code = ("terminated", 143) if isinstance(error, Terminated) else ("interrupted", 130)
        click.echo(f"{what}; run the same command again to resume", err=True)
        return {"error": what, "problems": [], "kind": type(error).__name__}, code
    except Exception as error:  # noqa: BLE001 - last resort: report it in one line
        if isinstance(error, BrokenPipeError) and _is_unread():
            _end_unread()
        name = type(error).__name__
        _say_error(f"{name}: {error} (run with --verbose for the traceback)", verbose)
        return {"error": str(error), "problems": [], "kind": name}, 1


def _is_unread() -> bool:
    """Whether the pipe of the command's stdout is closed, as by `| head -1`."""
    poll = select.poll()
    poll.register(_json_stdout.get() or 1, 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def _end_unread() -> NoReturn:
    """End without a message, with the exit code of a tool that SIGPIPE ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # what is still in the buffer of stdout is written there at exit
    os.close(nowhere)
    raise SystemExit(128 + signal.SIGPIPE)


def _say_error(text: str, verbose: bool) -> None:
    if verbose:
        traceback.print_exc()
    click.secho(f"error: {text}", err=True, fg="red")


def announce(produced: Produced) -> None:
    """Print one JSON line on stdout while the command continues; only with `--json`."""
    stdout = _json_stdout.get()
    if stdout is not None:
        os.write(stdout, (json.dumps(produced, sort_keys=True) + "\n").encode())


@contextmanager
def _stdout_for(as_json: bool) -> Iterator[None]:
    """With `--json`, redirect stdout to stderr, also that of child processes."""
    if not as_json:
        yield
        return
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    token = _json_stdout.set(stdout)
    try:
        yield
    finally:
        _json_stdout.reset(token)
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table; the first column is left-aligned, the others right-aligned."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", no_wrap=number == 0)
    for row in rows:
        table.add_row(*map(escape, row))
    console = Console()
    with console.capture() as printed:
        console.print(table)
    click.echo(printed.get(), nl=False)


def print_facts(facts: Mapping[str, str]) -> None:
    """Print aligned lines of name and value."""
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


def _warning(progress: Progress) -> str:
    return f"warning: {progress.stage}: {progress.note}"


class _Lines:
    """Prints one line per change, at most every two seconds per stage, and every warning."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._last: dict[str, float] = {}

    def __call__(self, progress: Progress) -> None:
        if progress.is_warning:
            click.echo(_warning(progress), err=True)
            return
        now = time.monotonic()
        is_shown = progress.is_notable or 0 < progress.total <= progress.done
        if not is_shown and now - self._last.get(progress.stage, -9.0) < 2.0:
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
        if progress.is_warning:
            bars.console.print(_warning(progress), style="yellow", markup=False, highlight=False)
            return
        if progress.stage not in ids:
            ids[progress.stage] = bars.add_task(progress.stage, amount="", note="", total=None)
        if progress.unit == "":  # begin or end of a stage: its last count stays visible
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
