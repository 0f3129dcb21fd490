"""A real S3-compatible object store on loopback: OpenStack Swift with its S3 API (s3api).

The tests start it themselves. To try ferflow with an S3 store, run it by hand:

    python -m tests.object_store

prints the environment variables to export and runs until Ctrl-C.
"""

import argparse
import contextlib
import getpass
import importlib.util
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType

BUCKET = "ferflow"
ACCESS_KEY = "test:tester"
SECRET_KEY = "planted-s3-key-4711"
REGION = "us-east-1"
_STORAGE_KINDS = ("account", "container", "object")
_KINDS = (*_STORAGE_KINDS, "proxy")
_START_TIMEOUT_S = 300.0
_SERVER_PORTS = (20_000, 32_000)
_FILTERS = "catch_errors gatekeeper listing_formats bulk s3api tempauth copy slo dlo"
_FILTER_OPTIONS = {
    "s3api": f"location={REGION}\ns3_acl=false\nauth_pipeline_check=false\n"
    "dns_compliant_bucket_names=true\nmin_segment_size=5242880",
    "tempauth": f"user_{ACCESS_KEY.replace(':', '_')}={SECRET_KEY} .admin",
    "versioned_writes": "allow_versioned_writes=true\nallow_object_versioning=true",
}


def is_available() -> bool:
    """Whether Swift is installed (on Linux, with the extra `s3test`)."""
    return sys.platform == "linux" and importlib.util.find_spec("swift") is not None


@contextlib.contextmanager
def running_object_store(folder: Path) -> Iterator[dict[str, str]]:
    """Run the four Swift servers, with their data in `folder`.

    Yields:
        The environment variables with which S3 clients connect to it.
    """
    servers = ObjectStore(folder)
    try:
        servers.start()
        yield servers.environment
    finally:
        servers.stop()


class ObjectStore:
    """The four Swift servers, which can be killed and started again; `folder` holds their data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = dict(zip(_KINDS, _free_ports(len(_KINDS)), strict=True))
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        _write_rings(folder, self._ports)
        _write_configs(folder, self._ports)
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._ports['proxy']}",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
        }

    def start(self) -> None:
        """Start all servers, and wait until they answer."""
        for kind in _KINDS:
            self._servers[kind] = _start(kind, self._folder)
        _wait_until_up(self._servers, self._ports, self._folder)

    def kill(self) -> None:
        """Kill all servers at once, with requests under way."""
        for server in self._servers.values():
            server.kill()
        for server in self._servers.values():
            server.wait()

    def stop(self) -> None:
        """End all servers."""
        _stop(self._servers.values())


def create_bucket(environment: Mapping[str, str], name: str = BUCKET) -> None:
    """Create a bucket unless it exists."""
    from botocore.config import Config
    from botocore.session import Session

    client = Session().create_client(
        "s3",
        region_name=environment["AWS_DEFAULT_REGION"],
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(s3={"addressing_style": "path"}),
    )
    try:
        existing = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
        if name not in existing:
            client.create_bucket(Bucket=name)
    finally:
        client.close()


def _free_ports(count: int) -> list[int]:
    """Ports that no client gets as its own.

    While a server is down, a client that tries to reach it again and again on a port of that kind
    may be given the very port, connect to itself, and keep the server from coming back.
    """
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(found) < count:
            one = stack.enter_context(socket.socket())
            port = random.SystemRandom().randrange(*_SERVER_PORTS)
            with contextlib.suppress(OSError):
                one.bind(("127.0.0.1", port))
                found.append(port)
    return found


def _write_rings(folder: Path, ports: Mapping[str, int]) -> None:
    from swift.common.ring import RingBuilder

    (folder / "node" / "d1").mkdir(parents=True, exist_ok=True)
    for kind in _STORAGE_KINDS:
        builder = RingBuilder(3, 1, 0)
        builder.add_dev(
            {
                "id": 0,
                "region": 1,
                "zone": 1,
                "weight": 1.0,
                "ip": "127.0.0.1",
                "port": ports[kind],
                "device": "d1",
                "replication_ip": "127.0.0.1",
                "replication_port": ports[kind],
                "meta": "",
            }
        )
        builder.rebalance(seed="1")
        builder.get_ring().save(str(folder / f"{kind}.ring.gz"))


def _write_configs(folder: Path, ports: Mapping[str, int]) -> None:
    (folder / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_suffix = ferflow\nswift_hash_path_prefix = tests\n"
    )
    for kind in _KINDS:
        lines = [
            "[DEFAULT]",
            "bind_ip = 127.0.0.1",
            f"bind_port = {ports[kind]}",
            "workers = 0",
            f"user = {getpass.getuser()}",
            f"swift_dir = {folder}",
            f"log_address = {folder / 'nolog'}",
        ]
        lines += _proxy_config() if kind == "proxy" else _storage_config(kind, folder)
        (folder / f"{kind}.conf").write_text("\n".join(lines) + "\n")


def _storage_config(kind: str, folder: Path) -> list[str]:
    special = ["auto_create_account_prefix = ."]
    if kind == "object":
        # No updater daemon runs here: a listing that is not updated in time would stay outdated.
        special = ["mb_per_sync = 0", "container_update_timeout = 30"]
    return [
        "conn_timeout = 10",
        "node_timeout = 60",
        f"devices = {folder / 'node'}",
        "mount_check = false",
        "disable_fallocate = true",
        "fallocate_reserve = 0",
        "[pipeline:main]",
        f"pipeline = {kind}-server",
        f"[app:{kind}-server]",
        f"use = egg:swift#{kind}",
        *special,
    ]


def _proxy_config() -> list[str]:
    filters = [*_FILTERS.split(), "versioned_writes", "symlink"]
    lines = [
        "[pipeline:main]",
        f"pipeline = {' '.join(filters)} proxy-server",
        "[app:proxy-server]",
        "use = egg:swift#proxy",
        "allow_account_management = true",
        "account_autocreate = true",
        "request_node_count = 1",
        "conn_timeout = 10",
        "node_timeout = 60",
        "recoverable_node_timeout = 60",
    ]
    for name in filters:
        lines += [f"[filter:{name}]", f"use = egg:swift#{name}", _FILTER_OPTIONS.get(name, "")]
    return lines


def _start(kind: str, folder: Path) -> subprocess.Popen[bytes]:
    # The installed scripts contain the path of their interpreter, which breaks if the folder was
    # moved or has a space in its name; running the script with this interpreter does not.
    script = shutil.which(f"swift-{kind}-server", path=str(Path(sys.executable).parent))
    assert script is not None, f"swift is installed without its swift-{kind}-server script"
    with (folder / f"{kind}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, script, str(folder / f"{kind}.conf"), "-v"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )


def _wait_until_up(
    servers: Mapping[str, subprocess.Popen[bytes]], ports: Mapping[str, int], folder: Path
) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    for kind, server in servers.items():
        while not _answers(ports[kind]):
            if server.poll() is not None or time.monotonic() > deadline:
                tail = (folder / f"{kind}.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"swift-{kind}-server did not start:\n{tail}")
            time.sleep(0.05)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _stop(servers: Iterable[subprocess.Popen[bytes]]) -> None:
    servers = list(servers)
    for server in servers:
        server.terminate()
    for server in servers:
        try:
            server.wait(timeout=5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def main() -> None:
    """Run a store until Ctrl-C; see the module docstring."""
    parser = argparse.ArgumentParser(description="Run a local S3-compatible object store.")
    parser.add_argument("--bucket", default=BUCKET, help="bucket to create (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="folder of the objects (default: temporary)")
    arguments = parser.parse_args()
    if not is_available():
        sys.exit("Swift is not installed (Linux only): pip install -e '.[s3test]'")

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        folder = arguments.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environment = stack.enter_context(running_object_store(folder.absolute()))
        create_bucket(environment, arguments.bucket)
        for name, value in environment.items():
            print(f"export {name}={value}")
        print(f"# then: ferflow run --store s3://{arguments.bucket}/demo", flush=True)
        print("# Ctrl-C stops the store", file=sys.stderr, flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
