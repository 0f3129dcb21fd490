import asyncio
from pathlib import Path

import pytest

from fer_models.errors import TrainingError
from fer_models.remote.channel import ProgressChannel
from fer_models.storage.store import ArtifactStore
from fer_models.training.checkpoint_dir import CheckpointDir
from fer_models.training.distributed.checkpoints import (
    checkpoint_location,
    local_location,
    remove_checkpoints,
)
from fer_models.training.distributed.events import EventHandler, Resumed
from fer_models.training.engine.results import EpochResult, StepResult

MANIFEST = "checkpoint_manager_snapshot.json"


def epoch(number: int) -> EpochResult:
    return EpochResult(
        epoch=number,
        step=5 * number,
        train_loss=1.0,
        train_accuracy=0.5,
        train_macro_f1=0.5,
        validation_loss=1.0,
        validation_accuracy=0.5,
        validation_macro_f1=0.5,
        learning_rate=0.1,
        images_per_s=1.0,
    )


def test_a_request_waits_for_its_reply() -> None:
    async def exchange() -> tuple[bool, bool, object]:
        channel = ProgressChannel()
        await channel.send(Resumed(2))
        request = asyncio.create_task(channel.request(epoch(3)))
        first, second = await channel.receive(60.0), await channel.receive(60.0)
        assert first is not None
        assert second is not None
        assert first.event == Resumed(2)
        waited = not request.done()
        await channel.reply(second.number)
        return waited, await request, await channel.receive(0.01)

    assert asyncio.run(exchange()) == (True, True, None)


def test_stop_answers_pending_and_later_requests() -> None:
    async def stopped() -> tuple[bool, bool]:
        channel = ProgressChannel()
        waiting = asyncio.create_task(channel.request(epoch(1)))
        await asyncio.sleep(0)
        await channel.stop()
        return await waiting, await channel.request(epoch(2))

    assert asyncio.run(stopped()) == (False, False)


def test_a_workers_failure_is_kept() -> None:
    async def failure() -> object:
        channel = ProgressChannel()
        assert await channel.failure() is None
        await channel.send(TrainingError("the loss diverged"))
        return await channel.failure()

    assert str(asyncio.run(failure())) == "the loss diverged"


def test_events_repeated_after_a_loss_are_handled_once() -> None:
    handled: list[object] = []
    handler = EventHandler(
        lambda result: handled.append(("epoch", result.epoch)),
        lambda result: handled.append(("step", result.step)),
        lambda epochs: handled.append(("resumed", epochs)),
    )
    events = [
        StepResult(step=4, scores={}),
        epoch(1),
        StepResult(step=8, scores={}),
        epoch(2),
        Resumed(1),
        StepResult(step=8, scores={}),
        epoch(2),
        StepResult(step=12, scores={}),
        epoch(3),
    ]
    for event in events:
        handler.on_event(event)
    assert handled == [
        ("step", 4),
        ("epoch", 1),
        ("step", 8),
        ("epoch", 2),
        ("resumed", 1),
        ("step", 12),
        ("epoch", 3),
    ]


@pytest.mark.parametrize(("text", "kept"), [('{"checkpoint_results": []}', True), ('{"che', False)])
def test_a_truncated_checkpoint_manifest_is_deleted(tmp_path: Path, text: str, kept: bool) -> None:
    folder = tmp_path / local_location(tmp_path).name
    (folder / "checkpoint_1").mkdir(parents=True)
    (folder / MANIFEST).write_text(text)
    local_location(tmp_path)
    assert (folder / "checkpoint_1").exists() == kept


def test_checkpoints_are_in_the_store_on_a_cluster(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = CheckpointDir(tmp_path / "key")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert checkpoint_location(store, local).path == str(local.path)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    location = checkpoint_location(store, local)
    assert location.path == str(store.local_root / "training")
    assert location.name == "key"
    store.write_bytes(f"training/key/{MANIFEST}", b'{"che')
    checkpoint_location(store, local)
    assert not store.has(f"training/key/{MANIFEST}")
    store.write_bytes("training/key/checkpoint_1/last.ckpt", b"x")
    remove_checkpoints(store, local)
    assert store.list_keys("training/key") == []
    remove_checkpoints(store, local)
