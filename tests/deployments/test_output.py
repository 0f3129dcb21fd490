"""A command ends when it is interrupted, even where Python ignores the exception of the signal."""

import os
import signal
import time
from typing import Any

import click
from click.testing import CliRunner

from deployments.cli.output import reporting_command


class InterruptedWhenDeleted:
    """Gets Ctrl-C in `__del__`, where Python prints and ignores what is raised."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@click.command()
@reporting_command
def _command() -> dict[str, Any]:
    InterruptedWhenDeleted()
    time.sleep(60)
    return {}


def test_a_ctrl_c_that_python_ignored_ends_a_command() -> None:
    result = CliRunner().invoke(_command)
    assert result.exit_code == 130
    assert "interrupted; run the same command again to resume" in result.output
