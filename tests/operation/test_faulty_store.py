"""A whole run on an object store that throttles all the time, is slow, and stalls once."""

import threading
from pathlib import Path

import pytest

from tests.deployments.processes import Workspace
from tests.faulty_server import Fault, faulty
from tests.object_store import BUCKET

pytestmark = [pytest.mark.slow, pytest.mark.s3, pytest.mark.timeout(1800)]

# Longer than the time after which a person hears of it.
STALL_S = 45.0
STALLED_AT = 120


def test_a_run_gets_through_and_says_what_it_waits_for(
    tmp_path: Path, s3_environment: dict[str, str]
) -> None:
    workspace = Workspace(tmp_path)
    here = workspace.run("run", "--recipe", "tiny.yaml", "--store", str(tmp_path / "store"))
    with faulty(s3_environment["AWS_ENDPOINT_URL"]) as (endpoint, fault):
        fault.delay_s = 0.02
        fault.refuses = lambda number: number % 7 == 0
        workspace.environment.update(s3_environment | {"AWS_ENDPOINT_URL": endpoint})
        threading.Thread(target=_stall_once, args=(fault,), daemon=True).start()
        log = tmp_path / "run.err"
        with log.open("w") as stderr:
            process = workspace.start(
                "run", "--recipe", "tiny.yaml", "--store", f"s3://{BUCKET}/faulty", "--json",
                stderr=stderr,
            )  # fmt: skip
            out, _ = process.communicate(timeout=1500)
    assert process.returncode in (0, 3), log.read_text()
    assert f"no answer from {endpoint} yet, after 30 s" in log.read_text()
    assert fault.num_requests > STALLED_AT
    models = [model["id"] for model in here["models"]]
    assert all(model in out for model in models), (models, out)


def _stall_once(fault: Fault) -> None:
    pause = threading.Event()
    while fault.num_requests < STALLED_AT:
        pause.wait(0.05)
    fault.is_open.clear()
    pause.wait(STALL_S)
    fault.is_open.set()
