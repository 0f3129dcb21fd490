import pytest

from fer_models.progress import Progress, listening, report


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
