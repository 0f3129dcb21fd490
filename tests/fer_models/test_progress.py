import pytest

from fer_models.progress import Progress, listening, repeat, report, warn


@pytest.mark.parametrize(
    ("progress", "amount"),
    [
        (Progress("train", 3, 8, "epochs"), "3/8 epochs"),
        (Progress("tune", 1 / 3, 4, "trials"), "0.3/4 trials"),
        (Progress("ingest", 2800, 35887, "images"), "2800/35887 images"),
        (Progress("clean", 1, 1), ""),
        (Progress("start", 5, 0, "images"), ""),
    ],
)
def test_amounts_are_short(progress: Progress, amount: str) -> None:
    assert progress.amount == amount


def test_every_listener_gets_the_events_inside_its_block_only() -> None:
    outer: list[Progress] = []
    inner: list[Progress] = []
    with listening(outer.append):
        with listening(inner.append):
            report("a", 1, 2)
        report("b", 2, 2)
    report("c", 3)
    assert [progress.stage for progress in outer] == ["a", "b"]
    assert [progress.stage for progress in inner] == ["a"]


def test_a_repeated_event_is_the_same_also_a_warning() -> None:
    there: list[Progress] = []
    here: list[Progress] = []
    with listening(there.append):
        report("train", 1, 2, "epochs", "resumed", notable=True)
        warn("train", "the disk is full")
    with listening(here.append):
        for event in there:
            repeat(event)
    assert here == there
