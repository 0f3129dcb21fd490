import asyncio
from pathlib import Path

import pytest

from fer_models.errors import TrainingError
from fer_models.storage.store import ArtifactStore
from fer_models.training.checkpoint_dir import CheckpointDir
from fer_models.training.distributed.channel import EventHandler, ProgressChannel, Resumed
from fer_models.training.distributed.checkpoints import (
    checkpoint_location,
    local_location,
    remove_checkpoints,
)
from fer_models.training.engine.results import EpochResult, StepResult

LIST = "checkpoint_manager_snapshot.json"


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


def test_a_question_waits_for_its_answer() -> None:
    async def exchange() -> tuple[bool, bool, object]:
        channel = ProgressChannel()
        await channel.send(Resumed(2))
        question = asyncio.create_task(channel.request(epoch(3)))
        first, second = await channel.receive(1.0), await channel.receive(1.0)
        assert first is not None
        assert second is not None
        assert first.event == Resumed(2)
        waited = not question.done()
        await channel.reply(second.number)
        return waited, await question, await channel.receive(0.01)

    assert asyncio.run(exchange()) == (True, True, None)


def test_who_waits_and_who_asks_later_hears_that_it_is_enough() -> None:
    async def stopped() -> tuple[bool, bool]:
        channel = ProgressChannel()
        waiting = asyncio.create_task(channel.request(epoch(1)))
        await asyncio.sleep(0)
        await channel.stop()
        return await waiting, await channel.request(epoch(2))

    assert asyncio.run(stopped()) == (False, False)


def test_a_workers_reason_is_kept() -> None:
    async def told() -> object:
        channel = ProgressChannel()
        assert await channel.failure() is None
        await channel.send(TrainingError("the loss ran away"))
        return await channel.failure()

    assert str(asyncio.run(told())) == "the loss ran away"


def test_what_workers_tell_again_after_a_loss_is_heard_once() -> None:
    heard: list[object] = []
    handler = EventHandler(
        lambda result: heard.append(("epoch", result.epoch)),
        lambda result: heard.append(("step", result.step)),
        lambda epochs: heard.append(("resumed", epochs)),
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
    assert heard == [
        ("step", 4),
        ("epoch", 1),
        ("step", 8),
        ("epoch", 2),
        ("resumed", 1),
        ("step", 12),
        ("epoch", 3),
    ]


@pytest.mark.parametrize(("text", "kept"), [('{"checkpoint_results": []}', True), ('{"che', False)])
def test_a_list_of_checkpoints_that_was_cut_off_is_forgotten(
    tmp_path: Path, text: str, kept: bool
) -> None:
    folder = tmp_path / local_location(tmp_path).name
    (folder / "checkpoint_1").mkdir(parents=True)
    (folder / LIST).write_text(text)
    local_location(tmp_path)
    assert (folder / "checkpoint_1").exists() == kept


def test_checkpoints_lie_in_the_store_on_a_cluster(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = CheckpointDir(tmp_path / "key")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert checkpoint_location(store, work).path == str(work.path)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    location = checkpoint_location(store, work)
    assert location.path == str(store.local_root / "training")
    assert location.name == "key"
    store.write_bytes(f"training/key/{LIST}", b'{"che')
    checkpoint_location(store, work)
    assert not store.has(f"training/key/{LIST}")
    store.write_bytes("training/key/checkpoint_1/last.ckpt", b"x")
    remove_checkpoints(store, work)
    assert store.list_keys("training/key") == []
    remove_checkpoints(store, work)
