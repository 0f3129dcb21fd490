"""Two commands that start servers at the same moment in an empty folder: both get theirs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
