"""Trainings and other calls on two Ray nodes on loopback, started once for all tests."""

import contextvars
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import ConfigError, DataError, TrainingError
from fer_models.labels import CLASS_NAMES
from fer_models.progress import Progress, listening, report
from fer_models.quality.out_of_fold import out_of_fold_probabilities
from fer_models.ray_cluster import Demand, per_connection, ray_cluster
from fer_models.remote import call
from fer_models.remote.call import STAGE, Place, call_on_node
from fer_models.remote.channel import open_channel
from fer_models.remote.config import PlacementConfig
from fer_models.remote.node_store import node_store
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from fer_models.training import predict
from fer_models.training.config import MemberConfig
from fer_models.training.predict import predict_model
from fer_models.training.train import train_member
from tests.fer_models.quality.test_out_of_fold import IMAGES, LABELS, REPEATS, TINY
from tests.fer_models.tracking.run_file import entries_of, logged_artifacts
from tests.fer_models.training.conftest import MEMBER, UNTRACKED
from tests.fer_models.training.distributed.ray_nodes import Cluster, clients_token, two_nodes
from tests.fer_models.training.faces import write_faces

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
RESOURCE = "accelerator_x"
ON_SECOND = PlacementConfig(cpus=0.4, resources={RESOURCE: 0.4})
NO_DEMAND = Demand(who="a test", remedy="", pieces=0, cpus=0)
OPTIONS = ("--resources", f'{{"{RESOURCE}": 1}}')


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache of nodes")))
        with two_nodes(*OPTIONS) as cluster, clients_token():
            yield cluster


@pytest.fixture(autouse=True)
def on_cluster(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)


@pytest.fixture
def elsewhere(store: ArtifactStore) -> ArtifactStore:
    """Another store, for what is computed in this process."""
    return ArtifactStore(StoreConfig(url=str(store.local_root.parent / "other")))


def one_thread(member: MemberConfig, name: str = "small", epochs: int = 4) -> MemberConfig:
    training = member.training.model_copy(update={"threads": 1, "epochs": epochs})
    changes = {"training": training, "placement": ON_SECOND, "name": name}
    return member.model_copy(update=changes)


def nodes_with_resource() -> list[str]:
    """The ids of the live nodes that have the resource."""
    import ray

    with ray_cluster(NO_DEMAND):
        found = [n for n in ray.nodes() if n["Alive"] and n["Resources"].get(RESOURCE)]
    return [str(node["NodeID"]) for node in found]


def train_here(
    store: ArtifactStore, member: MemberConfig, monkeypatch: pytest.MonkeyPatch
) -> ModelRef:
    with monkeypatch.context() as patch:
        patch.setenv("FERFLOW_LOCAL", "1")
        return train_member(store, write_faces(store), member, 3, UNTRACKED)


def test_a_member_trains_where_its_resource_is_with_the_result_of_this_process(
    store: ArtifactStore, elsewhere: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = write_faces(store)
    events: list[Progress] = []
    with listening(events.append):
        remote = train_member(store, snapshot, one_thread(MEMBER), 3, UNTRACKED)
    assert [store.info(remote)["node"]["id"]] == nodes_with_resource()
    assert [p.done for p in events if "loss" in p.note] == [1, 2, 3, 4]
    assert any(p.stage == STAGE and "on node" in p.note for p in events)
    assert store.list_keys("checkpoints") == []
    here = train_here(elsewhere, one_thread(MEMBER), monkeypatch)
    assert "node" not in elsewhere.info(here)
    weights = "weights.safetensors"
    assert store.read_file(remote, weights) == elsewhere.read_file(here, weights)
    assert here.id == remote.id

    images = open_snapshot(store, snapshot).images
    expected = predict_model(store, remote, images)
    monkeypatch.setattr(predict, "_MANY_IMAGES", 1)
    events.clear()
    with listening(events.append):
        np.testing.assert_allclose(predict_model(store, remote, images), expected, atol=1e-5)
    assert any("prediction with small: on node" in p.note for p in events)


def test_the_driver_tracks_the_training_of_a_node_with_its_artifacts(
    store: ArtifactStore, tmp_path: Path
) -> None:
    tracking = TrackingConfig(mode="offline", folder=str(tmp_path / "tracked"))
    snapshot = write_faces(store)
    model = train_member(store, snapshot, one_thread(MEMBER, epochs=1), 3, tracking)
    artifacts = logged_artifacts(tmp_path / "tracked")
    assert artifacts["dataset"].use_after_commit
    weights = entries_of(artifacts["model-small"])["weights.safetensors"]
    assert weights.ref == store.fetch(model, "weights.safetensors").as_uri()


def test_two_members_train_side_by_side_and_the_node_fetches_the_images_once(
    store: ArtifactStore,
) -> None:
    import ray

    snapshot = write_faces(store, seed=1)  # no other test has cached its images
    events: list[str] = []

    def listen(progress: Progress) -> None:
        if "on node" in progress.note or "loss" in progress.note:
            events.append(progress.note)

    with ray_cluster(NO_DEMAND), listening(listen), ThreadPoolExecutor(2) as threads:
        server = node_store(store).server
        runs = [
            threads.submit(
                contextvars.copy_context().run,
                train_member,
                *(store, snapshot, one_thread(MEMBER, name, epochs=2), 0, UNTRACKED),
            )
            for name in ("first", "second")
        ]
        models = [run.result() for run in runs]
        reads = ray.get(server.num_reads.remote())
    assert [model.name for model in models] == ["first", "second"]
    images = store.describe(snapshot).files["images.npy"].key
    assert reads[images] == 1
    # Both were placed before either had finished its first epoch.
    assert ["on node" in note for note in events[:2]] == [True, True]


def test_folds_of_label_scores_give_the_result_of_local_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TINY.model_copy(update={"placement": ON_SECOND})
    folders = [tmp_path / "remote", tmp_path / "here"]
    for folder in folders:
        folder.mkdir()
    events: list[Progress] = []
    with listening(events.append):
        remote = out_of_fold_probabilities(
            IMAGES, LABELS, REPEATS, config, 3, folders[0], CLASS_NAMES
        )
    monkeypatch.setenv("FERFLOW_LOCAL", "1")
    here = out_of_fold_probabilities(IMAGES, LABELS, REPEATS, config, 3, folders[1], CLASS_NAMES)
    assert np.array_equal(remote, here)
    assert sum("fold" in p.note and "on node" in p.note for p in events) == 2
    last = [p for p in events if p.stage == "score"][-1]
    assert (last.done, last.total) == (4, 4)


PLACE = Place("a test", "placement", ON_SECOND)


def fail_there(kind: str) -> None:
    if kind == "user":
        raise DataError("row 3: label 7", ["row 3"])
    raise ValueError("a bug")


def sleep_there() -> None:
    report("sleep", 1, 2, "naps")
    time.sleep(600)


def test_errors_arrive_as_they_were_raised() -> None:
    with pytest.raises(DataError, match="label 7") as caught:
        call_on_node(PLACE, fail_there, "user")
    assert caught.value.problems == ("row 3",)
    with pytest.raises(ValueError, match="a bug"):
        call_on_node(PLACE, fail_there, "bug")


def test_a_node_with_another_version_of_the_library_is_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(call, "library_sha", lambda: "another")
    with pytest.raises(ConfigError, match=r"expected the driver's ferflow \(source another\)"):
        call_on_node(PLACE, sleep_there)


def test_an_interrupt_ends_the_call_and_frees_its_resources() -> None:
    import ray

    def interrupt(progress: Progress) -> None:
        if progress.stage == "sleep":
            raise KeyboardInterrupt

    with ray_cluster(NO_DEMAND):
        with listening(interrupt), pytest.raises(KeyboardInterrupt):
            call_on_node(PLACE, sleep_there)
        until_s = time.monotonic() + 10
        while ray.available_resources().get(RESOURCE) != 1:
            assert time.monotonic() < until_s
            time.sleep(0.2)


def test_resources_that_no_node_has_are_rejected() -> None:
    place = Place("a test", "x.placement", PlacementConfig(resources={RESOURCE: 2}))
    with pytest.raises(ConfigError, match=rf"2 {RESOURCE}.*x\.placement\.cpus"):
        call_on_node(place, sleep_there)


def test_a_training_moves_from_a_lost_node_to_one_that_joins(
    cluster: Cluster,
    store: ArtifactStore,
    elsewhere: ArtifactStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    member = one_thread(MEMBER, epochs=6)
    events: list[Progress] = []

    def lose_the_node(progress: Progress) -> None:
        if progress.done == 2 and "loss" in progress.note:
            cluster.second.kill_raylet()
            # A new machine has no files of the lost one.
            monkeypatch.setenv("XDG_CACHE_HOME", str(store.local_root.parent / "cache of third"))
            cluster.add(*OPTIONS)

    with listening(events.append), listening(lose_the_node):
        model = train_member(store, write_faces(store), member, 3, UNTRACKED)
    assert [p.done for p in events if "resumed" in p.note] == [2]
    assert [p.done for p in events if "loss" in p.note] == [1, 2, 3, 4, 5, 6]
    assert any("was lost" in p.note for p in events)
    assert [store.info(model)["node"]["id"]] == nodes_with_resource()
    assert store.list_keys("checkpoints") == []
    assert train_here(elsewhere, member, monkeypatch).id == model.id


def _report_and_wait() -> None:
    report("test", 1, 2)
    time.sleep(600)


def test_the_loss_of_the_drivers_node_says_what_to_do() -> None:
    def lose(progress: Progress) -> None:
        if progress.stage == "test":
            import ray

            ray.kill(per_connection("channel", open_channel))

    place = Place("a test", "test.placement", ON_SECOND)
    with (
        listening(lose),
        pytest.raises(TrainingError, match=r"lost the Ray node .* run the same command again"),
    ):
        call_on_node(place, _report_and_wait)
