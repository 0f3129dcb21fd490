"""Settings that messages about workers, GPUs and CUDA graphs name: following them works."""

import re
from typing import Any

import pytest
import torch

from fer_models.errors import TrainingError
from fer_models.models.factory import build_network
from fer_models.progress import Progress, listening
from fer_models.ray_cluster import require_room
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.training.distributed import resources
from fer_models.training.distributed.resources import gpus_per_worker, worker_demand
from fer_models.training.engine.cuda_graphs import GraphedForward, can_graph
from fer_models.training.train import train_member
from tests.fer_models.following import advice, changed, refusal
from tests.fer_models.ray_workers import ray_workers
from tests.fer_models.training.conftest import MEMBER, UNTRACKED
from tests.fer_models.training.faces import write_faces


@pytest.mark.parametrize("lowered", ["training.workers=2", "training.cpus_per_worker=0.5"])
def test_workers_fit_after_lowering_either_setting_that_is_named(lowered: str) -> None:
    nodes = [{"CPU": 1.0}, {"CPU": 1.0}]

    def check(member: MemberConfig) -> None:
        require_room(worker_demand(member), nodes)

    member = changed(MEMBER, "training.workers=4", "training.cpus_per_worker=1")
    message = refusal(check, member)
    named = re.findall(r"training\.[a-z_]+", message.partition("; lower ")[2])
    assert lowered.partition("=")[0] in named
    check(changed(member, lowered))


def test_as_many_workers_as_gpus_are_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "num_gpus", lambda: 2.0)
    member = changed(MEMBER, "training.workers=3")
    [proposed] = advice(refusal(gpus_per_worker, member))
    assert gpus_per_worker(changed(member, proposed)) == 1
    monkeypatch.setattr(resources, "num_gpus", lambda: 0.0)  # hidden, as proposed
    assert gpus_per_worker(member) == 0


def test_a_network_that_no_cuda_graph_captures_trains_without_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", fails)
    member = changed(MEMBER, "training.cuda_graph=true", "training.batch_size=2")
    images = torch.zeros(2, 1, 48, 48)

    def forward(one: MemberConfig) -> None:
        network = build_network(one.network)
        if can_graph(one):
            GraphedForward(network, one, with_features=False)(images)
        else:
            network(images)

    [proposed] = advice(refusal(forward, member))
    forward(changed(member, proposed))


@pytest.mark.slow
def test_without_ray_nothing_asks_for_it(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    import ray

    def fails(**_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(ray, "init", fails)
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def train(member: MemberConfig) -> None:
        train_member(store, write_faces(store, 14, 7, 7), member, 0, UNTRACKED)

    member = changed(MEMBER, "training.epochs=1", "training.batch_size=7")
    message = refusal(train, changed(member, "training.workers=2"))
    proposed = re.findall(r"training\.workers=\d+", message.partition("run without Ray: ")[2])
    train(changed(member, "training.workers=2", *proposed))


def _killing(killed: list[int], times: int) -> Any:
    """Kills a worker after each of the first epochs that are reported, and notes its pid."""

    def listen(progress: Progress) -> None:
        if len(killed) < times and "loss" in progress.note:
            worker = ray_workers("RayTrainWorker")[-1]
            killed.append(worker.pid)
            worker.kill()

    return listen


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    ("followed", "losses"), [("training.worker_losses=1", 1), ("training.workers=1", 0)]
)
def test_a_training_that_lost_a_worker_too_often_ends_as_proposed(
    store: ArtifactStore, followed: str, losses: int
) -> None:
    snapshot = write_faces(store)
    member = changed(MEMBER, "training.workers=2", "training.worker_losses=0")
    first: list[int] = []
    with listening(_killing(first, 1)), pytest.raises(TrainingError) as caught:
        train_member(store, snapshot, member, 5, UNTRACKED)
    assert len(first) == 1
    named = caught.value.message.partition("logs), ")[2]
    assert "raise training.worker_losses, or set training.workers=1" in named
    again: list[int] = []
    with listening(_killing(again, losses)):
        train_member(store, snapshot, changed(member, followed), 6, UNTRACKED)
    assert len(again) == losses
