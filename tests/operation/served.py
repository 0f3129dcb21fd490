"""`ferflow up` as a person runs it: started, asked for runs, stopped; and folders of faces."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil
from PIL import Image
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    LogFilter,
    LogFilterFlowRunId,
    TaskRunFilter,
    TaskRunFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from fer_models.labels import Expression
from fer_models.processes import is_alive, num_cores
from fer_models.synthetic.config import SyntheticConfig
from fer_models.synthetic.generate import generate_synthetic
from tests.deployments.processes import Workspace, free_port

START_S = 300.0


class Up:
    """A running `ferflow up` and its API."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path, facts: dict[str, Any]) -> None:
        self.process = process
        self.log = log
        self.facts = facts

    @contextmanager
    def client(self) -> Iterator[SyncPrefectClient]:
        """A client of its server."""
        auth = self.facts.get("auth")
        with (
            temporary_settings({PREFECT_API_URL: self.facts["api"], PREFECT_API_AUTH_STRING: auth}),
            get_client(sync_client=True) as client,
        ):
            yield client

    def start_run(self, name: str, **parameters: Any) -> UUID:
        """Create a run of the deployment `name/name`, as the UI does."""
        with self.client() as client:
            deployment = client.read_deployment_by_name(f"{name}/{name}")
            return client.create_flow_run_from_deployment(deployment.id, parameters=parameters).id

    def run(self, run_id: UUID) -> FlowRun:
        """The run as the server has it now."""
        with self.client() as client:
            return client.read_flow_run(run_id)

    def ended(self, run_id: UUID, limit_s: float = 900.0) -> State[Any]:
        """Wait for the end of a run; its final state."""
        return self.reached(run_id, lambda state: state.is_final(), limit_s)

    def reached(
        self, run_id: UUID, condition: Callable[[State[Any]], bool], limit_s: float = 900.0
    ) -> State[Any]:
        """Wait until the state of a run fulfils the condition."""
        until_s = time.monotonic() + limit_s
        while True:
            state = self.run(run_id).state
            if state is not None and condition(state):
                return state
            where = f"{run_id} is {state and state.name}; log:\n{self.log.read_text()[-4000:]}"
            assert time.monotonic() < until_s, where
            assert self.process.poll() is None, where
            time.sleep(0.2)

    def task_is_running(self, run_id: UUID, name: str, limit_s: float = 600.0) -> None:
        """Wait until a task whose name starts so runs in the run or in a flow that it called."""
        until_s = time.monotonic() + limit_s
        while True:
            _, tasks = self.below(run_id)
            if any(t.name.startswith(name) and t.state and t.state.is_running() for t in tasks):
                return
            shown = [(task.name, task.state_name) for task in tasks]
            assert time.monotonic() < until_s, shown
            state = self.run(run_id).state
            assert state is not None
            assert not state.is_final(), (state, shown, self.log.read_text()[-4000:])
            time.sleep(0.2)

    def states(self, run_id: UUID) -> list[str]:
        """The names of all states that the run has had, in order."""
        with self.client() as client:
            history = client.read_flow_run_states(run_id)
        return [str(state.name) for state in sorted(history, key=lambda state: state.timestamp)]

    def logs(self, run_id: UUID) -> str:
        """The log of the run and of the flows that it called."""
        flows, _ = self.below(run_id)
        ids = [run_id, *(run.id for run in flows)]
        chosen = LogFilter(flow_run_id=LogFilterFlowRunId(any_=ids))
        with self.client() as client:
            return "\n".join(log.message for log in client.read_logs(chosen))

    def below(self, run_id: UUID) -> tuple[list[FlowRun], list[TaskRun]]:
        """All flows that the run called, directly or not, and all tasks of these and the run."""
        with self.client() as client:
            flows: list[FlowRun] = []
            last = [run_id]
            while last:
                parent = FlowRunFilterParentFlowRunId(any_=last)
                called = client.read_flow_runs(
                    flow_run_filter=FlowRunFilter(parent_flow_run_id=parent)
                )
                flows += called
                last = [run.id for run in called]
            ids = [run_id, *(run.id for run in flows)]
            tasks = client.read_task_runs(
                task_run_filter=TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=ids))
            )
        return flows, tasks

    def processes(self) -> list[psutil.Process]:
        """The processes below `ferflow up`: server, runs, Ray."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def stop(self, number: signal.Signals = signal.SIGINT, limit_s: float = 120.0) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(limit_s)


@contextmanager
def served(
    workspace: Workspace, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[Up]:
    """Run `ferflow up` for the block, on free ports; every process of it ends after the block."""
    workspace.environment.update(environment or {})
    number = len(list(workspace.folder.glob("up-*.log")))
    log = workspace.folder / f"up-{number}.log"
    ports = ("--port", str(free_port()), "--pages-port", "0")
    with log.open("w") as stderr:
        process = workspace.start("up", *options, *ports, "--json", stderr=stderr)
        assert process.stdout is not None
        left: list[psutil.Process] = []
        try:
            line = process.stdout.readline()
            assert line, log.read_text()
            up = Up(process, log, json.loads(line))
            yield up
        finally:
            if process.poll() is None:
                left = psutil.Process(process.pid).children(recursive=True)
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(60)
            for each in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            process.kill()
            process.wait()
            process.stdout.close()


def write_faces(folder: Path, per_class: int, seed: int, prefix: str = "") -> None:
    """Add synthetic faces to `folder/train/<class>` and `folder/test/<class>`, without defects."""
    count = per_class * len(Expression) * 3
    config = SyntheticConfig(
        num_images=max(count, 140),
        exact_duplicate_fraction=0,
        near_duplicate_fraction=0,
        leak_fraction=0,
        blank_fraction=0,
        non_face_fraction=0,
        label_error_fraction=0,
    )
    faces = generate_synthetic(config, seed)
    written: dict[str, int] = {}
    for index, image in enumerate(faces.images):
        name = Expression(int(faces.manifest_fields["label"].iloc[index])).name.lower()
        place = written.setdefault(name, 0)
        written[name] += 1
        split = "test" if place % 5 == 0 else "train"
        path = folder / split / name / f"{prefix}{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def records(workspace: Workspace, store: Path | str) -> Sequence[dict[str, Any]]:
    """What `ferflow runs list --json` says."""
    listed = workspace.run("runs", "list", "--store", str(store))
    runs: list[dict[str, Any]] = listed["runs"]
    return runs


def wait_until(condition: Callable[[], bool], limit_s: float, what: str) -> float:
    """Wait for a condition; the seconds that it took."""
    start_s = time.monotonic()
    while not condition():
        assert time.monotonic() < start_s + limit_s, f"not within {limit_s:.0f} s: {what}"
        time.sleep(0.2)
    return time.monotonic() - start_s


def on_this_machine(seconds: float) -> float:
    """A limit for an idle machine, in proportion to how busy the cores are now."""
    return seconds * max(1.0, os.getloadavg()[0] / num_cores())


def seconds_until_gone(processes: Sequence[psutil.Process], limit_s: float) -> float:
    """Wait until none of the processes runs; the seconds that it took."""
    start_s = time.monotonic()
    while left := [each for each in processes if is_alive(each)]:
        shown = [title(each) for each in left]
        assert time.monotonic() < start_s + limit_s, f"after {limit_s:.0f} s: {shown}"
        time.sleep(0.2)
    return time.monotonic() - start_s


def title(process: psutil.Process) -> str:
    """The command line of the process; empty once it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def does_not_answer(api: str) -> bool:
    """Whether nothing serves the API."""
    try:
        httpx.get(f"{api}/health", timeout=2)
    except httpx.TransportError:
        return True
    return False
