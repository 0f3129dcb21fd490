"""The training of members by a flow on two Ray nodes, with a real Prefect server."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL

from fer_models.dataset.snapshot import open_snapshot
from fer_models.evaluation.predictions import read_out_of_fold
from fer_models.ray_cluster import Demand, ray_cluster
from fer_models.remote.call import Place, call_on_node
from fer_models.remote.config import PlacementConfig
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import OutOfFoldConfig
from fer_models.training.final_fit import fit_final
from fer_models.training.folds.stored import folds_of
from flows.train_models import _train_members
from tasks.cache.results import results_in
from tasks.side_by_side import results, side_by_side
from tasks.stage import stage
from tests.fer_models.training.distributed.ray_nodes import Cluster, clients_token, two_nodes
from tests.fer_models.training.faces import write_faces
from tests.flows.conftest import tiny_config

ROOT = Path(__file__).parents[2]
FREED_WITHIN_S = 10.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.timeout(1800),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache of nodes")))
        with two_nodes() as cluster, clients_token():
            patch.setenv("RAY_ADDRESS", cluster.address)
            yield cluster


@pytest.mark.usefixtures("cluster")
def test_a_flow_trains_its_members_on_nodes_and_logs_where(store: ArtifactStore) -> None:
    config = tiny_config(store.url)
    half = PlacementConfig(cpus=0.5)
    teacher, other = (m.model_copy(update={"placement": half}) for m in config.members)
    teacher = teacher.model_copy(update={"out_of_fold": OutOfFoldConfig(folds=2)})
    student = teacher.model_copy(update={"name": "student", "teachers": (teacher.name,)})
    config = config.model_copy(update={"members": (teacher, other, student)})
    snapshot = write_faces(store)
    run_ids: list[str] = []

    @flow
    def training() -> list[ModelRef]:
        run_ids.append(str(flow_run.id))
        with results_in(store.config):
            return _train_members(config, snapshot, None, {})

    models = training()
    assert [model.name for model in models] == [teacher.name, other.name, "student"]
    assert all("node" in store.info(model) for model in models)
    assert store.read_json(models[2], "lineage.json")["teachers"] == [models[0].id]
    chosen = LogFilter(flow_run_id=LogFilterFlowRunId(any_=run_ids))
    with get_client(sync_client=True) as client:
        lines = [log.message for log in client.read_logs(chosen)]
    labels = [model.name for model in models]
    for model in models:
        folds = folds_of(store, model)
        assert len(folds) == (0 if model.name == other.name else 2)
        labels += [f"{model.name}, fold {ref.fold + 1} of 2" for ref in folds]
        if folds:
            assert read_out_of_fold(store, open_snapshot(store, snapshot), model)
    final = fit_final(store, models[1], config.tracking)
    assert "node" in store.info(final)
    for label in labels:
        assert any(f"training {label}: on node" in line for line in lines), (label, lines)


@stage("fer_models.cleaning.clean")
def occupy_half_a_core(name: str) -> str:
    place = Place(name, "placement", PlacementConfig(cpus=0.5))
    return call_on_node(place, sleep_there)


def sleep_there() -> str:
    time.sleep(3600)
    return "woke up"


@flow
def occupy_a_core() -> list[str]:
    with side_by_side() as start:
        return results([start(occupy_half_a_core, name) for name in ("first", "second")])


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_flow_frees_the_nodes(number: signal.Signals) -> None:
    import ray

    def free_cores() -> float:
        return float(ray.available_resources().get("CPU", 0.0))

    script = "from tests.flows.test_on_cluster import occupy_a_core; occupy_a_core()"
    environment = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    with ray_cluster(Demand(who="a test", remedy="", pieces=0, cpus=0)):
        driver = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=environment)
        try:
            wait_until(lambda: free_cores() == 1, 300)
            driver.send_signal(number)
            wait_until(lambda: free_cores() == 2, FREED_WITHIN_S)
            assert driver.wait(60) != 0
        finally:
            driver.kill()
            driver.wait()


def wait_until(condition: Callable[[], bool], limit_s: float) -> None:
    until_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.2)
