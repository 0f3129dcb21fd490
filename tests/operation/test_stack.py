"""The commands and variables of `infra/compose.yaml`, as processes of this machine."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.deployments.processes import Workspace, free_port
from tests.fer_models.training.distributed.ray_nodes import TOKEN, two_nodes
from tests.operation.served import Up, records, write_faces

pytestmark = [pytest.mark.slow, pytest.mark.s3, pytest.mark.timeout(3000)]

ROOT = Path(__file__).parents[2]
POSTGRES = Path("/usr/lib/postgresql/15/bin")
AUTH = "ferflow:only-for-the-test"
PASSWORD = "only-for-the-test"
START_S = 300.0


def test_the_stack_runs_a_pipeline_and_shows_its_report(
    tmp_path: Path, s3_environment: dict[str, str]
) -> None:
    if not (POSTGRES / "initdb").exists():
        pytest.skip(f"PostgreSQL 15 is not installed ({POSTGRES})")
    workspace = Workspace(tmp_path)
    workspace.environment.update(s3_environment)
    faces = tmp_path / "faces"
    write_faces(faces, per_class=20, seed=1)
    given = {
        "POSTGRES_PASSWORD": PASSWORD,
        "PREFECT_AUTH_STRING": AUTH,
        "RAY_AUTH_TOKEN": TOKEN["RAY_AUTH_TOKEN"],
        "AWS_ACCESS_KEY_ID": s3_environment["AWS_ACCESS_KEY_ID"],
        "AWS_SECRET_ACCESS_KEY": s3_environment["AWS_SECRET_ACCESS_KEY"],
        "FERFLOW_RECIPE": str(workspace.folder / "tiny.yaml"),
        "FERFLOW_SOURCES": str(faces),
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(_environment({**s3_environment, "XDG_CACHE_HOME": str(tmp_path / "c")}))
        database, cluster = stack.enter_context(_postgres()), stack.enter_context(two_nodes())
        port, pages_port = free_port(), free_port()
        places = {
            "prefect-server:4200": f"127.0.0.1:{port}",
            "127.0.0.1:4200": f"127.0.0.1:{port}",
            "localhost:4200": f"localhost:{port}",
            "http://objects:8333": s3_environment["AWS_ENDPOINT_URL"],
            "postgres:5432": f"127.0.0.1:{database}",
            "ray-head:6379": cluster.address,
            "0.0.0.0": "127.0.0.1",
            "4201": str(pages_port),
        }
        compose = _Compose(tmp_path, given, places)

        stack.enter_context(compose.running("prefect-server", PREFECT_SERVER_API_PORT=str(port)))
        api = f"http://127.0.0.1:{port}/api"
        _wait_until_it_answers(f"{api}/health")
        assert httpx.get(f"{api}/admin/version").status_code == 401
        for command in compose.command("deploy").split(" && "):
            compose.run("deploy", command)
        worker = compose.command("worker").rpartition("exec ")[2]
        worker = worker.replace(" --with-healthcheck", "")  # its port is fixed
        process = stack.enter_context(compose.running("worker", worker))
        stack.enter_context(compose.running("pages"))

        up = Up(process, tmp_path / "worker.log", {"api": api, "auth": AUTH})
        run_id = up.start_run("run-pipeline")
        state = up.ended(run_id, 1500)
        assert state.is_completed(), state.message
        assert "on node" in up.logs(run_id)

        store = compose.variables("deploy")["FERFLOW_STORE"]
        [record] = records(workspace, store)
        assert record["flow_run_id"] == str(run_id)
        report = f"http://127.0.0.1:{pages_port}/runs/{record['artifacts']['report']}/report.html"
        _wait_until_it_answers(f"http://127.0.0.1:{pages_port}/")
        assert httpx.get(report).status_code == 401
        answer = httpx.get(report, auth=tuple(AUTH.split(":")))  # type: ignore[arg-type]
        assert answer.status_code == 200
        assert "<html" in answer.text


class _Compose:
    """The services of the compose file, with this machine's addresses for theirs."""

    def __init__(self, folder: Path, given: Mapping[str, str], places: Mapping[str, str]) -> None:
        self._folder = folder
        self._given = given
        self._places = places
        parsed = yaml.safe_load((ROOT / "infra" / "compose.yaml").read_text())
        self._services: dict[str, Any] = parsed["services"]

    def command(self, service: str) -> str:
        """The command of a service, without its shell."""
        command = self._services[service]["command"]
        return self._here(command if isinstance(command, str) else command[-1])

    def variables(self, service: str) -> dict[str, str]:
        """The environment of a service."""
        return {k: self._here(str(v)) for k, v in self._services[service]["environment"].items()}

    def run(self, service: str, command: str) -> None:
        """Run a command to its end."""
        done = subprocess.run(
            _words(command),
            env=self._environment(service),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    @contextmanager
    def running(
        self, service: str, command: str = "", **variables: str
    ) -> Iterator["subprocess.Popen[str]"]:
        """Run a service for the block."""
        with (self._folder / f"{service}.log").open("w") as log:
            process = subprocess.Popen(
                _words(command or self.command(service)),
                env=self._environment(service) | variables,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                text=True,
            )
            try:
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(90)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def _environment(self, service: str) -> dict[str, str]:
        own = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "RAY_"))}
        home = {"PREFECT_HOME": str(self._folder / service), "PYTHONPATH": str(ROOT)}
        return own | home | self.variables(service)

    def _here(self, text: str) -> str:
        """With the values of variables, and with this machine's addresses."""
        text = re.sub(
            r"\$\{(\w+)(?::([?-])([^}]*))?\}",
            lambda found: self._given.get(found[1]) or (found[3] if found[2] == "-" else ""),
            text,
        )
        known = "|".join(map(re.escape, self._places))
        return re.sub(rf"({known})(?!\d)", lambda found: self._places[found[1]], text)


def _words(command: str) -> list[str]:
    """A command line for this interpreter: `prefect ...` or `ferflow ...`."""
    program, *words = command.split()
    module = {"prefect": "prefect", "ferflow": "deployments"}[program]
    return [sys.executable, "-m", module, *words]


@contextmanager
def _postgres() -> Iterator[int]:
    """A PostgreSQL server with a database and a user `prefect`, on loopback; its port."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    # It refuses to run as root.
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if not os.getuid() else {}
    options: Any = {"cwd": folder, **user}
    try:
        (folder / "password").write_text(PASSWORD)
        if user:
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres", "postgres")
        data = folder / "data"
        rules = ("--auth=scram-sha-256", "--username=prefect", f"--pwfile={folder / 'password'}")
        subprocess.run(
            [POSTGRES / "initdb", "-D", data, *rules], check=True, capture_output=True, **options
        )
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(
                [
                    POSTGRES / "postgres",
                    "-D",
                    data,
                    "-p",
                    str(port),
                    "-k",
                    folder,
                    "-h",
                    "127.0.0.1",
                ],
                stdout=log,
                stderr=log,
                **options,
            )
        try:
            _create_database(port)
            yield port
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _create_database(port: int) -> None:
    until_s = time.monotonic() + START_S
    command = [
        POSTGRES / "createdb",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        "-U",
        "prefect",
        "prefect",
    ]
    environment = {**os.environ, "PGPASSWORD": PASSWORD}
    while subprocess.run(command, env=environment, capture_output=True, check=False).returncode:
        assert time.monotonic() < until_s, "PostgreSQL does not answer"
        time.sleep(0.5)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        yield


def _wait_until_it_answers(url: str) -> None:
    until_s = time.monotonic() + START_S
    while True:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(url, timeout=5)
            return
        assert time.monotonic() < until_s, f"{url} does not answer"
        time.sleep(0.5)
