"""Run the `ferflow` command as a subprocess with its own Prefect home."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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


def free_port() -> int:
    """A port on loopback that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_prefect_server(folder: Path, port: int) -> Iterator[str]:
    """Start a Prefect server with a database of its own; the URL of its API."""
    api_url = f"http://127.0.0.1:{port}/api"
    arguments = ["-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env={**environment, "PREFECT_HOME": str(folder)},
            stdout=log,
            stderr=log,
            cwd=folder,
        )
        try:
            _wait_until_healthy(process, api_url)
            yield api_url
        finally:
            process.terminate()
            process.wait(60)


class _Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()
        self.wfile.write(b"true")

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def healthy_server() -> Iterator[str]:
    """The API address of a server that answers for its health, and for nothing else."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api"
        finally:
            server.shutdown()


def _wait_until_healthy(process: "subprocess.Popen[bytes]", api_url: str) -> None:
    for _ in range(360):
        assert process.poll() is None, "the Prefect server ended; see server.log"
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(f"{api_url}/health", timeout=3).close()
            return
        time.sleep(0.5)
    raise AssertionError("the Prefect server did not start")
