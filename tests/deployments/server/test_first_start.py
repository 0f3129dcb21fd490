"""The first servers in an empty folder: one after the other migrates the database."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.server.process import start_temporary_server

_CODE = """
import sys
from pathlib import Path
from deployments.server.process import start_temporary_server
server = start_temporary_server(Path(sys.argv[1]), False)
server.wait()
server.stop()
"""


@pytest.mark.slow
def test_two_first_servers_migrate_one_after_the_other(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", _CODE, str(tmp_path / "home")]
    both = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    errors = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors


def test_a_server_that_is_stopped_before_it_answers_lets_others_migrate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # no template of a database
    server = start_temporary_server(tmp_path / "home", verbose=False)
    assert server.migration is not None
    server.process.kill()
    server.stop()
    assert server.migration.closed
