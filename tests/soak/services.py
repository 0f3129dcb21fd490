"""Scenarios with servers that are killed: Prefect's, the object store, nodes of Ray."""

import random
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest

from fer_models.history.runs import list_runs
from tests import object_store
from tests.fer_models.training.distributed.ray_nodes import TOKEN, two_nodes
from tests.operation.served import Up, served, title
from tests.soak.figures import Episode
from tests.soak.place import Ended, Place
from tests.soak.scenarios import Reference, check_end, check_whole, completed, kill, outcome, same

_STORE = f"s3://{object_store.BUCKET}/soak"
_LINES = 30


def killed_server(draw: random.Random, reference: Reference) -> Episode:
    """Under `ferflow up`, with a second run that waits: kill its server, a run, or all of it."""
    target = draw.choice(["server", "served-run", "up"])
    episode = Episode("up", 0)
    with reference.place() as place:
        store = place.workspace.environment["FERFLOW_STORE"]
        options = ("--recipe", "soak.yaml", "--store", store)
        with served(place.workspace, *options) as up:
            run_id = up.start_run("run-pipeline", seed=0)
            waiting = up.start_run("train-models", seed=1)
            up.reached(run_id, lambda state: state.is_running(), 600)
            time.sleep(draw.uniform(0, 20))
            stage = _stage(up, run_id)
            if _kill_of(up, target):
                episode.kills.append(f"SIGKILL {target} at {stage or 'start'}")
            episode.attempts += 1
            if target == "server":
                state = up.ended(run_id, 900)
                episode.require(state.is_completed(), f"without its server: {state.message}")
                up.ended(waiting, 900)
            if target == "served-run":
                up.reached(run_id, lambda state: state.is_final(), 600)
                up.ended(waiting, 900)
            if target != "up":
                episode.require(up.stop() == 0, "ferflow up did not end well after Ctrl-C")
        check_whole(place, episode)
        with served(place.workspace, *options) as up:
            again = up.start_run("run-pipeline", seed=0)
            state = up.ended(again, 900)
            episode.attempts += 1
            episode.resumed += "resumed after epoch" in up.logs(again)
            episode.require(state.is_completed(), f"the run ended as {state.name}: {state.message}")
            open_runs = [name for name in _open_runs(up) if name]
            episode.require(not open_runs, f"runs that never end: {open_runs}")
        _same_in_record(place, str(again), episode, reference.of("--seed", "0"))
        check_end(place, episode, reference)
    return episode


def killed_queue(draw: random.Random, reference: Reference) -> Episode:
    """Ten runs queue up, and the one whose turn it is gets killed a few times."""
    episode = Episode("queue", 0)
    with reference.place() as place:
        store = place.workspace.environment["FERFLOW_STORE"]
        with served(place.workspace, "--recipe", "soak.yaml", "--store", store) as up:
            queued = [up.start_run("run-pipeline", seed=number % 2) for number in range(10)]
            for _ in range(draw.randint(2, 4)):
                time.sleep(draw.uniform(2, 20))
                stage = next((found for run in queued if (found := _stage(up, run))), "start")
                if _kill_of(up, "served-run"):
                    episode.kills.append(f"SIGKILL queued-run at {stage}")
            states = [up.ended(run, 1500) for run in queued]
            episode.attempts += len(queued)
            num_crashed = sum(state.is_crashed() for state in states)
            others = [state.name for state in states if not state.is_crashed()]
            episode.require(
                num_crashed == len(episode.kills),
                f"{num_crashed} of {len(episode.kills)} killed runs are marked as crashed",
            )
            wrong = [name for name in others if name not in {"Promoted", "Not promoted"}]
            episode.require(not wrong, f"runs that nobody killed ended as {wrong}")
            again = up.start_run("run-pipeline", seed=0)
            state = up.ended(again, 900)
            episode.require(state.is_completed(), f"the run ended as {state.name}: {state.message}")
            episode.require(not _open_runs(up), f"runs that never end: {_open_runs(up)}")
        _same_in_record(place, str(again), episode, reference.of("--seed", "0"))
        check_end(place, episode, reference)
    return episode


def killed_object_store(draw: random.Random, reference: Reference) -> Episode:
    """Kill the S3 server in the middle of a run, start it again, and kill the run as well."""
    episode = Episode("s3", 0)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="sw-", dir="/tmp")))
        servers = object_store.ObjectStore(folder)
        stack.callback(servers.stop)
        servers.start()
        object_store.create_bucket(servers.environment)
        place = stack.enter_context(
            reference.place({**servers.environment, "FERFLOW_STORE": _STORE})
        )
        arguments = ("run", "--recipe", "soak.yaml", "--seed", "0")
        stack.enter_context(_environment(servers.environment))
        command = place.start(*arguments)
        if command.has_printed(draw.randint(4, _LINES), draw.random()):
            episode.kills.append(f"SIGKILL s3-server at {command.stage()}")
            servers.kill()
            time.sleep(draw.uniform(0, 5))
            servers.start()
        ended = command.ended()
        episode.attempts += 1
        if ended.code not in (0, 3):
            _require_message(ended, episode)
        check_whole(place, episode)
        if ended.code not in (0, 3):
            command = place.start(*arguments)
            if command.has_printed(draw.randint(4, _LINES), draw.random()):
                kill(place, command, signal.SIGKILL, "run-on-s3", episode)
                check_whole(place, episode)
        last = completed(place, arguments, episode)
        if last is not None:
            same(episode, outcome(last.produced), reference.of("--seed", "0"))
        check_end(place, episode, reference)
    return episode


def killed_node(draw: random.Random, reference: Reference) -> Episode:
    """On a cluster of two nodes: kill the second one, the head, or the run."""
    target = draw.choice(["ray-worker", "ray-head", "run-on-ray"])
    episode = Episode("ray", 0)
    arguments = ("run", "--recipe", "soak.yaml", "--seed", "0")
    with (
        two_nodes() as cluster,
        reference.place({"RAY_ADDRESS": cluster.address, **TOKEN}) as place,
    ):
        command = place.start(*arguments)
        if command.has_printed(draw.randint(12, 22), draw.uniform(0, 10)):
            stage = command.stage()
            if target == "run-on-ray":
                kill(place, command, draw.choice([signal.SIGKILL, signal.SIGTERM]), target, episode)
            else:
                node = cluster.second if target == "ray-worker" else cluster.nodes[0]
                node.end()
                episode.kills.append(f"SIGKILL {target} at {stage}")
                ended = command.ended()
                episode.attempts += 1
                if ended.code not in (0, 3):
                    _require_message(ended, episode)
                    lost_worker = target == "ray-worker"
                    episode.require(not lost_worker, f"one node was enough: {ended.err[-300:]}")
        command.process.wait(900)
        check_whole(place, episode)
        # Without the cluster: a node computes the same as this machine.
        place.workspace.environment.pop("RAY_ADDRESS")
        last = place.run(*arguments)
        episode.attempts += 1
        episode.require(last.code in (0, 3), f"exit code {last.code}: {last.err[-500:]}")
        if last.code in (0, 3):
            same(episode, outcome(last.produced), reference.of("--seed", "0"))
        check_end(place, episode, reference)
    return episode


def _require_message(ended: Ended, episode: Episode) -> None:
    """One of ferflow's own messages, not the exception of a library."""
    said = "error: " in ended.err
    foreign = "Traceback" in ended.err or "--verbose for the traceback" in ended.err
    episode.require(said and not foreign, f"no message after the loss: {ended.err[-300:]}")


def _kill_of(up: Up, target: str) -> bool:
    """Kill the server, the process of a run, or `ferflow up` itself; False if it does not run."""
    if target == "up":
        up.process.kill()
        up.process.wait()
        return True
    marks = {"server": "deployments.server.app", "served-run": "prefect.engine"}
    for process in up.processes():
        if marks[target] in title(process):
            process.kill()
            return True
    return False


def _stage(up: Up, run_id: UUID) -> str:
    """The tasks that run now, of a run or of the flows that it called; empty if none does."""
    _, tasks = up.below(run_id)
    running = {task.name.partition("-")[0] for task in tasks if task.state_name == "Running"}
    return "+".join(sorted(running))


def _same_in_record(
    place: Place, flow_run_id: str, episode: Episode, reference: dict[str, Any]
) -> None:
    """The models of a served run, from its record, are those of an unkilled run."""
    runs = list_runs(place.store()).runs
    record = next((run for run in runs if run.flow_run_id == flow_run_id), None)
    episode.require(record, "the run left no record")
    if record is not None:
        held = record.artifacts
        models = {*held.models.values(), *held.ensembles.values()}
        episode.require(models == set(reference["models"]), "other models than an unkilled run")
        episode.require(held.snapshot == reference["snapshot"], "other data than an unkilled run")


def _open_runs(up: Up) -> list[str]:
    with up.client() as client:
        runs = client.read_flow_runs()
    return [
        run.name
        for run in runs
        if run.state is not None and (run.state.is_running() or run.state.is_pending())
    ]


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """The variables of the object store, for the checks of this process."""
    from s3fs import S3FileSystem

    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        # s3fs caches its clients together with their credentials.
        S3FileSystem.clear_instance_cache()
        yield
    S3FileSystem.clear_instance_cache()
