"""A training on two Ray nodes that loses one of them."""

import pytest

from fer_models.errors import ConfigError
from fer_models.progress import Progress, listening
from fer_models.storage.store import ArtifactStore
from fer_models.training.train import train_member
from tests.fer_models.training.conftest import MEMBER, UNTRACKED
from tests.fer_models.training.distributed.ray_nodes import clients_token, two_nodes
from tests.fer_models.training.distributed.test_distributed import curve_of, with_training
from tests.fer_models.training.faces import write_faces


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_training_continues_on_the_remaining_node(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = with_training(MEMBER, workers=2, min_workers=1, epochs=6)
    snapshot = write_faces(store)
    events: list[Progress] = []
    with two_nodes() as cluster, clients_token():
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        too_many = with_training(MEMBER, workers=3)
        with pytest.raises(ConfigError, match=r"workers=3 requests 3 x 1 cores"):
            train_member(store, snapshot, too_many, 0, UNTRACKED)

        def kill_second_node(progress: Progress) -> None:
            if progress.done == 2 and "loss" in progress.note:
                cluster.second.kill_raylet()

        with listening(events.append), listening(kill_second_node):
            model = train_member(store, snapshot, member, 0, UNTRACKED)
    assert next(p.done for p in events if "resumed" in p.note) in (1, 2)
    assert [p.done for p in events if "loss" in p.note] == [1, 2, 3, 4, 5, 6]
    curve = curve_of(store, model)
    assert list(curve["step"]) == [5, 10, 15, 20, 25, 30]
    assert curve["validation_accuracy"].max() > 0.3
    # The checkpoints, which both nodes can reach, are deleted.
    assert not list((store.local_root / "training").glob("*"))
