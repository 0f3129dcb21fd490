"""Trainings on two workers of a real Ray, which is started for each test."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load

from fer_models.errors import ConfigError, DataError, TrainingError
from fer_models.models.config import NetworkConfig
from fer_models.progress import Listener, Progress, listening
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import AugmentConfig, MemberConfig, TrainingConfig
from fer_models.training.train import train_member
from tests.fer_models.ray_workers import ray_workers
from tests.fer_models.training.conftest import MEMBER, UNTRACKED
from tests.fer_models.training.engine.test_resume import KILLED_AFTER_TWO_EPOCHS
from tests.fer_models.training.faces import write_faces

NO_AUGMENTATION = AugmentConfig(
    flip=False, rotate_deg=0, shift=0, scale=0, brightness=0, contrast=0, erase=0
)
# Independent of how a batch is divided: no batch normalisation, no dropout, no augmentation.
# 141 images in batches of 28 leave one over, and class weights give each worker another weight.
PLAIN = MemberConfig(
    name="plain",
    network=NetworkConfig(name="scratch_mlp"),
    training=TrainingConfig(
        epochs=3,
        batch_size=28,
        optimizer="sgd",
        learning_rate=1e-2,
        class_weighting="loss",
        ema_decay=0.5,
        precision="32-true",
        augment=NO_AUGMENTATION,
    ),
)


@pytest.fixture(autouse=True)
def own_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def with_training(member: MemberConfig, **values: Any) -> MemberConfig:
    return member.model_copy(update={"training": member.training.model_copy(update=values)})


def curve_of(store: ArtifactStore, model: ModelRef) -> pd.DataFrame:
    curve = pd.read_csv(io.BytesIO(store.read_file(model, "curve.csv")))
    return curve.drop(columns="images_per_s")


def probabilities_of(store: ArtifactStore, model: ModelRef) -> np.ndarray:
    return np.load(io.BytesIO(store.read_file(model, "probabilities.npz")))["validation"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_workers_give_the_same_weights_as_one_process(store: ArtifactStore) -> None:
    snapshot = write_faces(store, num_train=141, num_validation=43)
    single = train_member(store, snapshot, PLAIN, 0, UNTRACKED)
    events: list[Progress] = []
    with listening(events.append):
        shared = train_member(store, snapshot, with_training(PLAIN, workers=2), 0, UNTRACKED)
    pd.testing.assert_frame_equal(curve_of(store, single), curve_of(store, shared), rtol=1e-3)
    actual, expected = (load(store.read_file(m, "weights.safetensors")) for m in (shared, single))
    for name, weights in expected.items():
        torch.testing.assert_close(actual[name], weights, rtol=1e-3, atol=1e-5, msg=name)
    np.testing.assert_allclose(
        probabilities_of(store, shared), probabilities_of(store, single), atol=1e-3
    )
    assert [p.done for p in events if "loss" in p.note] == [1, 2, 3]
    assert not list((store.local_root / "training").glob("*"))


def kill_a_worker_after(epoch: int) -> Listener:
    def listen(progress: Progress) -> None:
        if progress.done == epoch and "loss" in progress.note:
            workers = ray_workers("RayTrainWorker")
            assert len(workers) == 2
            workers[-1].kill()

    return listen


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelRef, pd.DataFrame]:
    """MEMBER (batch normalisation, dropout, erasing) trained on two workers with seed 3."""
    from fer_models.storage.config import StoreConfig

    folder = tmp_path_factory.mktemp("uninterrupted")
    store = ArtifactStore(StoreConfig(url=str(folder / "store")))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        model = train_member(store, write_faces(store), SHARED, 3, UNTRACKED)
    return model, curve_of(store, model)


SHARED = with_training(MEMBER, workers=2, ema_decay=0.8)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_lost_worker_is_replaced_and_the_model_is_the_same(
    store: ArtifactStore, uninterrupted: tuple[ModelRef, pd.DataFrame], cache_folder: Path
) -> None:
    events: list[Progress] = []
    with listening(events.append), listening(kill_a_worker_after(2)):
        model = train_member(store, write_faces(store), SHARED, 3, UNTRACKED)
    resumed = [p for p in events if "resumed" in p.note]
    assert [p.done for p in resumed] in ([1], [2])
    assert [p.done for p in events if "loss" in p.note] == [1, 2, 3, 4]
    assert model.id == uninterrupted[0].id
    pd.testing.assert_frame_equal(curve_of(store, model), uninterrupted[1], check_exact=True)
    assert list(cache_folder.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_killed_driver_is_resumed(
    store: ArtifactStore, uninterrupted: tuple[ModelRef, pd.DataFrame]
) -> None:
    snapshot = write_faces(store)
    arguments = [store.url, snapshot.id, SHARED.model_dump_json()]
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED_AFTER_TWO_EPOCHS, *arguments], env=dict(os.environ)
    )
    assert process.wait() == -signal.SIGKILL
    events: list[Progress] = []
    with listening(events.append):
        model = train_member(store, snapshot, SHARED, 3, UNTRACKED)
    assert [p.done for p in events if "resumed" in p.note] in ([1], [2])
    assert model.id == uninterrupted[0].id


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_diverged_loss_is_reported_and_not_retried(store: ArtifactStore) -> None:
    member = with_training(
        PLAIN, workers=2, learning_rate=10.0, gradient_clip=0.0, weight_decay=0.0
    )
    with pytest.raises(TrainingError, match=r"plain: the training loss became .*learning_rate=1 "):
        train_member(store, write_faces(store), member, 0, UNTRACKED)


def test_batches_with_one_image_per_worker_are_rejected(store: ArtifactStore) -> None:
    member = with_training(MEMBER, workers=4, batch_size=7)
    with pytest.raises(ConfigError, match=r"7 for 4 workers.*training\.batch_size=8"):
        train_member(store, write_faces(store), member, 0, UNTRACKED)


def test_fewer_images_than_workers_are_rejected(store: ArtifactStore) -> None:
    snapshot: SnapshotRef = write_faces(store, num_train=5, num_validation=2)
    with pytest.raises(DataError) as caught:
        train_member(store, snapshot, with_training(MEMBER, workers=3), 0, UNTRACKED)
    assert len(caught.value.problems) == 2
