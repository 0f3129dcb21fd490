"""Trainings and other calls on two Ray nodes on loopback, started once for all tests."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from fer_models.progress import Progress, listening
from fer_models.ray_cluster import Demand, ray_cluster
from fer_models.remote.call import STAGE
from fer_models.remote.config import PlacementConfig
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.training.train import train_member
from tests.fer_models.training.conftest import MEMBER, UNTRACKED
from tests.fer_models.training.distributed.ray_nodes import Cluster, clients_token, two_nodes
from tests.fer_models.training.faces import write_faces

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
RESOURCE = "accelerator_x"
ON_SECOND = PlacementConfig(cpus=0.4, resources={RESOURCE: 0.4})


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with two_nodes("--resources", f'{{"{RESOURCE}": 1}}') as cluster, clients_token():
        yield cluster


@pytest.fixture(autouse=True)
def on_cluster(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)


def one_thread(member: MemberConfig, placement: PlacementConfig = ON_SECOND) -> MemberConfig:
    training = member.training.model_copy(update={"threads": 1})
    return member.model_copy(update={"training": training, "placement": placement})


def test_a_member_trains_where_its_resource_is_with_the_result_of_this_process(
    store: ArtifactStore, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = write_faces(store)
    member = one_thread(MEMBER)
    events: list[Progress] = []
    with listening(events.append):
        remote = train_member(store, snapshot, member, 3, UNTRACKED)
    assert store.info(remote)["node"]["id"] == node_id_of_second(cluster)
    assert [p.done for p in events if "loss" in p.note] == [1, 2, 3, 4]
    assert any(p.stage == STAGE and "on node" in p.note for p in events)
    assert store.list_keys("checkpoints") == []
    other = ArtifactStore(StoreConfig(url=str(store.local_root.parent / "other")))
    write_faces(other)
    monkeypatch.setenv("FERFLOW_LOCAL", "1")
    here = train_member(other, snapshot, member, 3, UNTRACKED)
    assert "node" not in other.info(here)
    weights = "weights.safetensors"
    assert store.read_file(remote, weights) == other.read_file(here, weights)
    assert here.id == remote.id


def node_id_of_second(cluster: Cluster) -> str:
    """The id of the node that has the resource."""
    import ray

    with connected():
        (node,) = [node for node in ray.nodes() if node["Resources"].get(RESOURCE)]
    return str(node["NodeID"])


def connected() -> AbstractContextManager[None]:
    return ray_cluster(Demand(who="a test", remedy="", pieces=0, cpus=0))
