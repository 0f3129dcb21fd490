"""A training on a node whose store is a bucket, which the node opens itself."""

import pytest

from fer_models.remote.node_store import NodeStore, node_store
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from fer_models.training.train import train_member
from tests.fer_models.training.conftest import MEMBER, UNTRACKED
from tests.fer_models.training.distributed.ray_nodes import clients_token, one_node
from tests.fer_models.training.faces import write_faces


@pytest.mark.s3
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_node_reads_and_writes_a_bucket_itself(
    s3_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ArtifactStore(StoreConfig(url=s3_store_url))
    assert node_store(store) == NodeStore(store.url)
    snapshot = write_faces(store)
    with one_node() as cluster, clients_token():
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        model = train_member(store, snapshot, MEMBER, 3, UNTRACKED)
    assert "node" in store.info(model)
    assert store.list_keys("checkpoints") == []
