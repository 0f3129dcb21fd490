"""Requests that arrive together are predicted together; none waits for ever."""

import threading
import weakref
from concurrent.futures import wait

import pytest

from deployments.inference_server.models.batching import (
    Answer,
    Batcher,
    Predicted,
    QueueFullError,
    StoppedError,
)
from fer_models.faces.found import FacesMode
from fer_models.inference.picture import Picture, PicturePrediction


class _Model:
    """Answers with the names of the pictures; waits for `go`, and fails at the name `bad`."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.busy = threading.Event()
        self.batches: list[tuple[list[str], FacesMode]] = []

    def predict(self, pictures: list[Picture], faces: FacesMode) -> Predicted:
        self.busy.set()
        assert self.go.wait(60)
        names = [picture.path for picture in pictures]
        self.batches.append((names, faces))
        if "bad" in names:
            raise ValueError("bad")
        return Predicted("model", [PicturePrediction(name, (), "none") for name in names])


class _Content(Picture):
    """A picture that can be watched until its memory is freed."""


def _batcher(model: _Model, max_waiting: int = 100, batch_pictures: int = 4) -> Batcher:
    return Batcher(
        model.predict,
        batch_pictures=batch_pictures,
        batch_wait_s=0.0,
        max_waiting=max_waiting,
    )


def _pictures(*names: str) -> list[Picture]:
    return [Picture(name, data=b"") for name in names]


def _names(answer: Answer) -> list[str]:
    return [one.path for one in answer.pictures]


def test_waiting_requests_are_predicted_together_and_get_their_own_pictures() -> None:
    model = _Model()
    with _batcher(model) as batcher:
        first = batcher.submit(_pictures("a"), "crop")
        assert model.busy.wait(60)
        others = [batcher.submit(_pictures(*names), "crop") for names in ("bc", "d", "efg")]
        assert batcher.waiting == 6
        model.go.set()
        assert [_names(one.result(60)) for one in (first, *others)] == [
            ["a"],
            ["b", "c"],
            ["d"],
            ["e", "f", "g"],
        ]
    assert [names for names, _ in model.batches] == [["a"], ["b", "c", "d"], ["e", "f", "g"]]
    assert others[0].result().batch_pictures == 3
    assert batcher.waiting == 0


def test_a_batch_has_one_mode() -> None:
    model = _Model()
    with _batcher(model) as batcher:
        first = batcher.submit(_pictures("a"), "crop")
        assert model.busy.wait(60)
        others = [batcher.submit(_pictures("b"), "crop"), batcher.submit(_pictures("c"), "detect")]
        model.go.set()
        wait([first, *others], 60)
    assert model.batches == [(["a"], "crop"), (["b"], "crop"), (["c"], "detect")]


def test_a_request_that_fails_does_not_fail_those_beside_it() -> None:
    model = _Model()
    with _batcher(model) as batcher:
        first = batcher.submit(_pictures("a"), "crop")
        assert model.busy.wait(60)
        good, bad = batcher.submit(_pictures("b"), "crop"), batcher.submit(_pictures("bad"), "crop")
        model.go.set()
        assert _names(good.result(60)) == ["b"]
        with pytest.raises(ValueError, match="bad"):
            bad.result(60)
        assert first.result(60)


def test_a_full_queue_refuses_with_a_time_to_come_back_but_takes_one_large_request() -> None:
    model = _Model()
    with _batcher(model, max_waiting=3) as batcher:
        first = batcher.submit(_pictures("a"), "crop")
        assert model.busy.wait(60)
        waiting = batcher.submit(_pictures(*"bcdef"), "crop")
        with pytest.raises(QueueFullError) as refused:
            batcher.submit(_pictures("g"), "crop")
        assert refused.value.waiting == 5
        assert 1 <= refused.value.retry_after_s <= 60
        model.go.set()
        assert len(waiting.result(60).pictures) == 5
        assert first.result(60)


def test_what_was_given_up_is_not_predicted() -> None:
    model = _Model()
    with _batcher(model) as batcher:
        first = batcher.submit(_pictures("a"), "crop")
        assert model.busy.wait(60)
        given_up = batcher.submit(_pictures("b"), "crop")
        assert given_up.cancel()
        model.go.set()
        first.result(60)
    assert [names for names, _ in model.batches] == [["a"]]


def test_what_was_given_up_leaves_the_queue_at_once() -> None:
    model = _Model()
    with _batcher(model, max_waiting=2) as batcher:
        first = batcher.submit(_pictures("a"), "crop")
        assert model.busy.wait(60)
        given_up = [batcher.submit(_pictures("b"), "crop"), batcher.run(lambda: None)]
        assert batcher.waiting == 2
        content = weakref.ref(large := _Content("large"))
        assert given_up[0].cancel()
        given_up.append(batcher.submit([large], "crop"))
        del large
        assert [future.cancel() for future in given_up[1:]] == [True, True]
        assert batcher.waiting == 0
        assert content() is None
        model.go.set()
        first.result(60)
    assert batcher.waiting == 0


def test_other_work_counts_as_a_picture_in_the_queue() -> None:
    model = _Model()
    with _batcher(model, max_waiting=2) as batcher:
        first = batcher.submit(_pictures("a"), "crop")
        assert model.busy.wait(60)
        others = [batcher.run(lambda: 3), batcher.submit(_pictures("b"), "crop")]
        with pytest.raises(QueueFullError):
            batcher.run(lambda: 4)
        model.go.set()
        assert others[0].result(60) == 3
        wait([first, *others], 60)
    assert batcher.waiting == 0


def test_other_work_of_the_model_comes_between_batches() -> None:
    model = _Model()
    model.go.set()
    with _batcher(model) as batcher:
        name = batcher.run(lambda: threading.current_thread().name).result(60)
    assert name == "ferflow-model"


def test_the_end_finishes_what_waits_and_takes_nothing_more() -> None:
    model = _Model()
    with _batcher(model) as batcher:
        first = batcher.submit(_pictures("a"), "crop")
        assert model.busy.wait(60)
        second = batcher.submit(_pictures("b"), "detect")
        model.go.set()
    assert first.done()
    assert _names(second.result(0)) == ["b"]
    with pytest.raises(StoppedError):
        batcher.submit(_pictures("c"), "crop")
