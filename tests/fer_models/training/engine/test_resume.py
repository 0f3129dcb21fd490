import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from fer_models.dataset.snapshot import open_snapshot
from fer_models.progress import Listener, Progress, listening
from fer_models.storage.store import ArtifactStore
from fer_models.training.checkpoint_dir import checkpoint_dir, training_key
from fer_models.training.engine.fit import fit
from fer_models.training.engine.results import EpochResult
from fer_models.training.inputs.data import training_data
from fer_models.training.train import train_member
from tests.fer_models.training.conftest import MEMBER, UNTRACKED, Trained
from tests.fer_models.training.faces import write_faces


class InterruptedHereError(Exception):
    """Simulates the interruption of a training."""


def interrupt_after(epoch: int) -> Listener:
    def listen(progress: Progress) -> None:
        if progress.done == epoch and "loss" in progress.note:
            raise InterruptedHereError

    return listen


@pytest.mark.parametrize("epoch", [1, 3, 4])
def test_a_resumed_training_gives_the_same_model(
    store: ArtifactStore, trained: Trained, cache_folder: Path, epoch: int
) -> None:
    snapshot = write_faces(store)
    with pytest.raises(InterruptedHereError), listening(interrupt_after(epoch)):
        train_member(store, snapshot, MEMBER, 3, UNTRACKED)
    assert (cache_folder / training_key(snapshot, MEMBER, 3) / "last.ckpt").exists()
    events: list[Progress] = []
    with listening(events.append):
        model = train_member(store, snapshot, MEMBER, 3, UNTRACKED)
    assert model.id == trained.model.id
    assert [p.note for p in events if "resumed" in p.note] == [
        f"small: resumed after epoch {epoch}"
    ]
    assert len([p for p in events if "loss" in p.note]) == MEMBER.training.epochs - epoch
    resumed, uninterrupted = (
        [row.rsplit(b",", 1)[0] for row in s.read_file(model, "curve.csv").splitlines()]
        for s in (store, trained.store)
    )
    assert resumed == uninterrupted  # but for images_per_s
    assert list(cache_folder.iterdir()) == []


def test_with_a_checkpoint_interval_the_last_one_written_is_resumed(
    store: ArtifactStore, trained: Trained
) -> None:
    training = MEMBER.training.model_copy(update={"checkpoint_every_s": 3600.0})
    member = MEMBER.model_copy(update={"training": training})
    snapshot = write_faces(store)
    with pytest.raises(InterruptedHereError), listening(interrupt_after(3)):
        train_member(store, snapshot, member, 3, UNTRACKED)
    events: list[Progress] = []
    with listening(events.append):
        model = train_member(store, snapshot, member, 3, UNTRACKED)
    assert [p.note for p in events if "resumed" in p.note] == ["small: resumed after epoch 1"]
    assert model.id == trained.model.id


@pytest.mark.parametrize("patience", [0, 1])
def test_a_training_interrupted_while_it_predicts_trains_no_epoch_again(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch, patience: int
) -> None:
    """Its last epoch has a checkpoint, however short ago the one before was written."""
    changes = {"checkpoint_every_s": 3600.0, "patience": patience, "learning_rate": 1e-9}
    member = MEMBER.model_copy(update={"training": MEMBER.training.model_copy(update=changes)})
    snapshot = write_faces(store)

    def interrupt(*_: object, **__: object) -> None:
        raise InterruptedHereError

    events: list[Progress] = []
    with monkeypatch.context() as patch, listening(events.append):
        patch.setattr("fer_models.training.artifact.predict_probabilities", interrupt)
        with pytest.raises(InterruptedHereError):
            train_member(store, snapshot, member, 3, UNTRACKED)
    num_epochs = len([p for p in events if "loss" in p.note])
    assert (num_epochs < MEMBER.training.epochs) == bool(patience)
    events.clear()
    with listening(events.append):
        train_member(store, snapshot, member, 3, UNTRACKED)
    notes = [p.note for p in events]
    assert [note for note in notes if "loss" in note] == []
    assert f"small: resumed after epoch {num_epochs}" in notes


def test_a_damaged_checkpoint_is_not_resumed(
    store: ArtifactStore, trained: Trained, cache_folder: Path
) -> None:
    snapshot = write_faces(store)
    folder = cache_folder / training_key(snapshot, MEMBER, 3)
    folder.mkdir(parents=True)
    (folder / "last.ckpt").write_bytes(b"PK\x03\x04 not a checkpoint")
    assert train_member(store, snapshot, MEMBER, 3, UNTRACKED).id == trained.model.id


def test_a_training_can_resume_with_other_settings(store: ArtifactStore, tmp_path: Path) -> None:
    data = training_data(open_snapshot(store, write_faces(store)))
    checkpoint = tmp_path / "last.ckpt"
    last = MEMBER.training.epochs
    alone = fit(data, MEMBER, 3, lambda _: None)

    def interrupt(result: EpochResult) -> None:
        if result.epoch == last - 1:
            raise InterruptedHereError

    with pytest.raises(InterruptedHereError):
        fit(data, MEMBER, 3, interrupt, checkpoint)
    changes = {"learning_rate": MEMBER.training.learning_rate / 2, "weight_decay": 0.5}
    training = MEMBER.training.model_copy(update=changes)
    other = MEMBER.model_copy(update={"training": training})
    changed = fit(data, other, 3, lambda _: None, checkpoint)
    for before, after in zip(alone.curve[:-1], changed.curve[:-1], strict=True):
        same = {"images_per_s"}
        assert before.model_dump(exclude=same) == after.model_dump(exclude=same)
    assert changed.curve[-1].learning_rate == pytest.approx(alone.curve[-1].learning_rate / 2)
    groups = torch.load(checkpoint, weights_only=True)["optimizer_states"][0]["param_groups"]
    assert {group["weight_decay"] for group in groups} == {0.5, 0.0}


KILLED_AFTER_TWO_EPOCHS = """
import os, signal, sys
from fer_models.progress import listening
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from fer_models.training.config import MemberConfig
from fer_models.training.train import train_member

def kill(progress):
    if progress.done == 2 and "loss" in progress.note:
        os.kill(os.getpid(), signal.SIGKILL)

url, snapshot_id, member = sys.argv[1:]
store = ArtifactStore(StoreConfig(url=url))
with listening(kill):
    snapshot = SnapshotRef(id=snapshot_id, url=url)
    member = MemberConfig.model_validate_json(member)
    train_member(store, snapshot, member, 3, TrackingConfig(mode="disabled"))
"""


@pytest.mark.timeout(900)
def test_a_killed_process_is_resumed(
    store: ArtifactStore, trained: Trained, cache_folder: Path
) -> None:
    snapshot = write_faces(store)
    command = [
        sys.executable,
        "-c",
        KILLED_AFTER_TWO_EPOCHS,
        store.url,
        snapshot.id,
        MEMBER.model_dump_json(),
    ]
    process = subprocess.run(command, env=dict(os.environ), check=False)
    assert process.returncode == -signal.SIGKILL
    assert store.list_ids(type(trained.model)) == []
    events: list[Progress] = []
    with listening(events.append):
        model = train_member(store, snapshot, MEMBER, 3, UNTRACKED)
    assert model.id == trained.model.id
    assert any("resumed after epoch 2" in p.note for p in events)


def test_two_processes_do_not_share_a_checkpoint_dir(tmp_path: Path) -> None:
    with checkpoint_dir("key", tmp_path) as first:
        with checkpoint_dir("key", tmp_path) as second:
            assert first.path == tmp_path / "key"
            assert second.path.is_dir()
            assert second.path != first.path
        assert not second.path.exists()
    with checkpoint_dir("key", tmp_path) as third:
        assert third.path == first.path


def test_training_works_without_a_writable_cache_folder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with checkpoint_dir("key", blocked) as checkpoints:
        assert checkpoints.path.is_dir()
    assert "can't be resumed" in caplog.text


def test_stale_checkpoints_are_removed(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    os.utime(old, (0, time.time() - 30 * 86_400))
    with checkpoint_dir("key", tmp_path) as checkpoints:
        assert checkpoints.path.exists()
    assert not old.exists()
