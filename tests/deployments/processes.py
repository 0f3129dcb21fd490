"""Run the `ferflow` command as a subprocess with its own Prefect home."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import psutil

TINY_RECIPE = """
name: tiny
data: {synthetic: {num_images: 420}}
validation: {min_images_per_class: 5, min_images_per_split: 20}
tuning: {enabled: false}
scoring: {enabled: false}
promotion: {min_accuracy: 0.0}
tracking: {mode: disabled}
members:
  - name: compact_cnn
    network: {name: compact_cnn, width: 0.25}
    training: {epochs: 1, precision: 32-true}
  - name: scratch_cnn
    network: {name: scratch_cnn, width: 0.25}
    training: {epochs: 24, precision: 32-true}
"""


class Workspace:
    """A folder with a blank in its path, in which commands run as a user would run them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "a folder"
        self.folder.mkdir()
        (self.folder / "tiny.yaml").write_text(TINY_RECIPE)
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")},
            "PREFECT_HOME": str(folder / "prefect"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PYTHONUNBUFFERED": "1",
        }

    def start(
        self, *arguments: str, stderr: int | IO[str] = subprocess.PIPE
    ) -> "subprocess.Popen[str]":
        """Start `ferflow ...` in the folder, with piped output."""
        return subprocess.Popen(
            [sys.executable, "-m", "deployments", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def run(self, *arguments: str, expect: int = 0) -> dict[str, Any]:
        """Run `ferflow ... --json` to completion, and return its last line, parsed."""
        process = self.start(*arguments, "--json")
        out, err = process.communicate()  # the limit is that of the test
        assert process.returncode == expect, err
        assert "Traceback" not in err, err
        answer: dict[str, Any] = json.loads(out.splitlines()[-1])
        return answer


def running_servers(workspace: Workspace) -> list[int]:
    """PIDs of temporary Prefect servers that were started in this workspace and run."""
    home = workspace.environment["PREFECT_HOME"]
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            is_server = any("deployments.server.app" in part for part in process.cmdline())
            if is_server and process.environ().get("PREFECT_HOME") == home:
                found.append(process.pid)
    return found
