"""Ray nodes for tests: started on loopback with `ray start`, ended by killing their processes."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

_ROOT = str(Path(__file__).parents[4])  # calls on a node may be functions of a test module
_START_S = 600.0  # generous, for a busy machine
_OBJECT_STORE_BYTES = 100 * 2**20
# Since 2.60 a Ray head requires a token; without these it would create one in the user's home.
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "only-for-tests-0123456789abcdef"}


@dataclass
class Node:
    """One `ray start` and its child processes."""

    process: subprocess.Popen[bytes]

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def kill_raylet(self) -> None:
        """Simulate a lost machine: the workers end with the raylet."""
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
    """A head node and further nodes, with one core each."""

    folder: Path
    port: int
    nodes: list[Node] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def second(self) -> Node:
        return self.nodes[1]

    def add(self, *options: str) -> Node:
        """Start another node, the first one as the head."""
        head = (f"--port={self.port}", f"--temp-dir={self.folder}", "--include-dashboard=false")
        first = ("--head", *head) if not self.nodes else (f"--address={self.address}",)
        log = self.folder / f"{len(self.nodes)}.log"
        node = _start([*first, *options], log)
        self.nodes.append(node)
        _wait_for_start(node, log)
        return node


@contextmanager
def two_nodes(*options_of_second: str) -> Iterator[Cluster]:
    """Start both nodes; end them and all their processes after the block."""
    with one_node() as cluster:
        cluster.add(*options_of_second)
        yield cluster


@contextmanager
def one_node() -> Iterator[Cluster]:
    """Start a head; end all nodes of the cluster and their processes after the block."""
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="rn-", dir="/tmp")), free_port())
    try:
        cluster.add()
        yield cluster
    finally:
        for node in reversed(cluster.nodes):
            node.end()
        shutil.rmtree(cluster.folder, ignore_errors=True)


@contextmanager
def clients_token() -> Iterator[None]:
    """Make this process use the nodes' token, even if it was connected to another Ray before."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in TOKEN.items():
            patch.setenv(name, value)
        # Ray reads the mode once, at import, and the token when it first needs it.
        from ray._raylet import AuthenticationTokenLoader

        loader = AuthenticationTokenLoader.instance()
        loader.reset_cache()
        yield
    loader.reset_cache()


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def _start(options: list[str], log: Path) -> Node:
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *options]
    command += ["--node-ip-address=127.0.0.1", "--num-cpus=1", "--num-gpus=0"]
    command += ["--min-worker-port=0", "--max-worker-port=0", "--disable-usage-stats"]
    command += [f"--object-store-memory={_OBJECT_STORE_BYTES}"]
    command += [f"--dashboard-agent-listen-port={free_port()}"]
    path = os.pathsep.join([_ROOT, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "RAY_worker_niceness": "0", "PYTHONPATH": path, **TOKEN}
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
