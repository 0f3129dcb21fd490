"""Members start from the champion as they are trained: with the result of the search."""

import json

import pytest

from fer_models.storage.refs import SnapshotRef, TuningRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from fer_models.training.train import train_member
from tasks.train import train
from tasks.warm_start import warm_start
from tests.fer_models.following import changed
from tests.fer_models.training.conftest import MEMBER, UNTRACKED
from tests.fer_models.training.faces import write_faces

SMALL = changed(MEMBER, "training.epochs=1")


@pytest.fixture
def snapshot(store: ArtifactStore) -> SnapshotRef:
    return write_faces(store)


@pytest.mark.parametrize(("width", "is_warm"), [(0.5, False), (0.25, True)])
def test_a_member_whose_network_a_search_changed_starts_from_scratch(
    store: ArtifactStore, snapshot: SnapshotRef, width: float, is_warm: bool
) -> None:
    member = changed(SMALL, "network.name=scratch_mlp", "network.width=0.25")
    champion = train_member(store, snapshot, member, 0, UNTRACKED)
    Registry(store).set(CHAMPION, champion.id, "by a test")
    best = {"best.json": json.dumps({"network.width": width}).encode()}
    tuning = store.put(TuningRef, "tuning-1", best, {"member": member.name})
    initial = warm_start.fn([member], snapshot, tuning, store.config)
    assert initial == ({member.name: champion} if is_warm else {})
    common = (snapshot, member, tuning, 1, UNTRACKED, store.config)
    trained = train.fn(*common, initial=initial.get(member.name))
    assert store.read_json(trained, "lineage.json")["initial"] == (champion.id if is_warm else None)
