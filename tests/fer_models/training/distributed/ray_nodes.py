"""Ray nodes that a test starts on loopback with `ray start`, and ends by their processes."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

_START_S = 600.0  # on a machine that is busy with other work
_OBJECT_STORE_BYTES = 100 * 2**20
# Since 2.60 a Ray head asks for a token; without these it would make one in the user's home.
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "only-for-tests-0123456789abcdef"}


@dataclass
class Node:
    """One `ray start` and the processes below it."""

    process: subprocess.Popen[bytes]

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def kill_raylet(self) -> None:
        """What a lost machine looks like to the others: its workers go with the raylet."""
        raylets = [child for child in self.children() if child.name() == "raylet"]
        assert len(raylets) == 1
        raylets[0].kill()

    def end(self) -> None:
        try:
            processes = [*self.children(), psutil.Process(self.process.pid)]
        except psutil.NoSuchProcess:
            return
        for each in processes:
            try:
                each.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait(timeout=60)
        psutil.wait_procs(processes, timeout=60)


@dataclass
class Cluster:
    """A head with one core, and a second node with one core."""

    address: str
    head: Node
    second: Node


@contextmanager
def two_nodes() -> Iterator[Cluster]:
    """Both nodes up, and ended with all their processes after the block."""
    folder = Path(tempfile.mkdtemp(prefix="rn-", dir="/tmp"))
    port = free_port()
    address = f"127.0.0.1:{port}"
    nodes: list[Node] = []
    head = ["--head", f"--port={port}", f"--temp-dir={folder}", "--include-dashboard=false"]
    try:
        for number, options in enumerate((head, [f"--address={address}"])):
            log = folder / f"{number}.log"
            nodes.append(_start(options, log))
            _wait_for_start(nodes[-1], log)
        yield Cluster(address, *nodes)
    finally:
        for node in reversed(nodes):
            node.end()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def clients_token() -> Iterator[None]:
    """This process shows the nodes' token, whatever Ray it has been connected to before."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in TOKEN.items():
            patch.setenv(name, value)
        # Ray reads the mode when it is loaded, for good, and the token when it first needs it.
        from ray._raylet import AuthenticationTokenLoader

        loader = AuthenticationTokenLoader.instance()
        loader.reset_cache()
        yield
    loader.reset_cache()


def free_port() -> int:
    with socket.socket() as handler:
        handler.bind(("127.0.0.1", 0))
        return int(handler.getsockname()[1])


def _start(options: list[str], log: Path) -> Node:
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *options]
    command += ["--node-ip-address=127.0.0.1", "--num-cpus=1", "--num-gpus=0"]
    command += ["--min-worker-port=0", "--max-worker-port=0", "--disable-usage-stats"]
    command += [f"--object-store-memory={_OBJECT_STORE_BYTES}"]
    command += [f"--dashboard-agent-listen-port={free_port()}"]
    environment = {**os.environ, "RAY_worker_niceness": "0", **TOKEN}
    environment.pop("RAY_ADDRESS", None)
    with log.open("wb") as output:
        return Node(
            subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        )


def _wait_for_start(node: Node, log: Path) -> None:
    until_s = time.monotonic() + _START_S
    while "Ray runtime started" not in log.read_text():
        assert node.process.poll() is None, log.read_text()
        assert time.monotonic() < until_s, log.read_text()
        time.sleep(0.5)
