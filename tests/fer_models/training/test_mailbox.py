import asyncio
from pathlib import Path

import pytest

from fer_models.errors import TrainingError
from fer_models.storage.store import ArtifactStore
from fer_models.training.distributed.listener import Listener
from fer_models.training.distributed.mailbox import Mailbox, Resumed
from fer_models.training.distributed.place import (
    checkpoint_place,
    forget_checkpoints,
    local_place,
)
from fer_models.training.results import EpochResult, StepResult
from fer_models.training.work_folder import WorkFolder

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
        mailbox = Mailbox()
        await mailbox.tell(Resumed(2))
        question = asyncio.create_task(mailbox.ask(epoch(3)))
        first, second = await mailbox.take(1.0), await mailbox.take(1.0)
        assert first is not None
        assert second is not None
        assert first.letter == Resumed(2)
        waited = not question.done()
        await mailbox.answer(second.number)
        return waited, await question, await mailbox.take(0.01)

    assert asyncio.run(exchange()) == (True, True, None)


def test_who_waits_and_who_asks_later_hears_that_it_is_enough() -> None:
    async def stopped() -> tuple[bool, bool]:
        mailbox = Mailbox()
        waiting = asyncio.create_task(mailbox.ask(epoch(1)))
        await asyncio.sleep(0)
        await mailbox.stop()
        return await waiting, await mailbox.ask(epoch(2))

    assert asyncio.run(stopped()) == (False, False)


def test_a_workers_reason_is_kept() -> None:
    async def told() -> object:
        mailbox = Mailbox()
        assert await mailbox.failure() is None
        await mailbox.tell(TrainingError("the loss ran away"))
        return await mailbox.failure()

    assert str(asyncio.run(told())) == "the loss ran away"


def test_what_workers_tell_again_after_a_loss_is_heard_once() -> None:
    heard: list[object] = []
    listener = Listener(
        lambda result: heard.append(("epoch", result.epoch)),
        lambda result: heard.append(("step", result.step)),
        lambda epochs: heard.append(("resumed", epochs)),
    )
    letters = [
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
    for letter in letters:
        listener.hear(letter)
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
    folder = tmp_path / local_place(tmp_path).name
    (folder / "checkpoint_1").mkdir(parents=True)
    (folder / LIST).write_text(text)
    local_place(tmp_path)
    assert (folder / "checkpoint_1").exists() == kept


def test_checkpoints_lie_in_the_store_on_a_cluster(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = WorkFolder(tmp_path / "key")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert checkpoint_place(store, work).path == str(work.path)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    place = checkpoint_place(store, work)
    assert place.path == str(store.local_root / "training")
    assert place.name == "key"
    store.write_bytes(f"training/key/{LIST}", b'{"che')
    checkpoint_place(store, work)
    assert not store.has(f"training/key/{LIST}")
    store.write_bytes("training/key/checkpoint_1/last.ckpt", b"x")
    forget_checkpoints(store, work)
    assert store.list_keys("training/key") == []
    forget_checkpoints(store, work)
