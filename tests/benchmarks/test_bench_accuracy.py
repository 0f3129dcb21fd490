from pathlib import Path

from tests.benchmarks.bench_accuracy import plot_courses, read_course, told

PROGRESS = """\
[   2.5 s] ingest  32298/32298 images
[  44.0 s] train  small: loading
[ 100.5 s] train  1/3 epochs  small: loss 1.9, validation accuracy 0.400
[ 200.5 s] train  2/3 epochs  small: loss 1.5, validation accuracy 0.651
[ 300.5 s] train  3/3 epochs  small: loss 1.4, validation accuracy 0.640
[ 310.0 s] train  done
"""
PRODUCED = {
    "seconds": 320.2,
    "models": [{"name": "small", "splits": {"validation": {"accuracy": 0.67, "n": 3589}}}],
}


def test_seconds_to_an_accuracy_are_those_of_the_first_epoch_that_reached_it() -> None:
    course = read_course("quick", PROGRESS, PRODUCED)
    assert course.accuracies == (0.4, 0.651, 0.64)
    assert course.seconds_to(0.65) == 200.5
    assert course.seconds_to(0.7014) is None
    assert "after 200 s" in told(course)
    assert "never" in told(course)
    assert "67.00%, n = 3589" in told(course)


def test_the_curves_are_drawn(tmp_path: Path) -> None:
    plot_courses([read_course("quick", PROGRESS, PRODUCED)], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
