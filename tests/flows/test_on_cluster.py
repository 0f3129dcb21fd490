"""The training of members by a flow on two Ray nodes, with a real Prefect server."""

from pathlib import Path

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.runtime import flow_run

from fer_models.remote.config import PlacementConfig
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from flows.train_models import _train_members
from tasks.cache.results import results_in
from tests.fer_models.training.distributed.ray_nodes import clients_token, two_nodes
from tests.fer_models.training.faces import write_faces
from tests.flows.conftest import tiny_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.timeout(1800),
]


def test_a_flow_trains_its_members_on_nodes_and_logs_where(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(store.url)
    half = PlacementConfig(cpus=0.5)
    teacher, other = (m.model_copy(update={"placement": half}) for m in config.members)
    student = teacher.model_copy(update={"name": "student", "teachers": (teacher.name,)})
    config = config.model_copy(update={"members": (teacher, other, student)})
    snapshot = write_faces(store)
    run_ids: list[str] = []

    @flow
    def training() -> list[ModelRef]:
        run_ids.append(str(flow_run.id))
        with results_in(store.config):
            return _train_members(config, snapshot, None)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with two_nodes() as cluster, clients_token():
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        models = training()
    assert [model.name for model in models] == [teacher.name, other.name, "student"]
    assert all("node" in store.info(model) for model in models)
    assert store.read_json(models[2], "lineage.json")["teachers"] == [models[0].id]
    chosen = LogFilter(flow_run_id=LogFilterFlowRunId(any_=run_ids))
    with get_client(sync_client=True) as client:
        lines = [log.message for log in client.read_logs(chosen)]
    for model in models:
        assert any(f"training {model.name}: on node" in line for line in lines), lines
