from pathlib import Path

import pandas as pd

from tests.benchmarks.bench_accuracy import GOALS, parse_run, summary_text
from tests.benchmarks.plots import plot_networks, plot_runs

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


def test_seconds_to_an_accuracy_are_those_of_the_first_epoch_to_reach_it() -> None:
    curve = parse_run("quick", PROGRESS, PRODUCED)
    assert curve.accuracies == (0.4, 0.651, 0.64)
    assert curve.seconds_to(0.65) == 200.5
    assert curve.seconds_to(0.7014) is None
    assert "without TTA after 200 s" in summary_text(curve)
    assert "not reached; without TTA not reached" in summary_text(curve)
    assert "67.00%, n = 3589" in summary_text(curve)


def test_a_run_reaches_the_accuracy_of_its_best_model() -> None:
    curve = parse_run("quick", PROGRESS, PRODUCED)
    assert curve.final_accuracy == 0.67
    assert curve.total_s_if_reached(0.67) == 320.2
    assert curve.total_s_if_reached(0.68) is None


def test_results_are_plotted(tmp_path: Path) -> None:
    plot_runs([parse_run("quick", PROGRESS, PRODUCED)], GOALS, tmp_path / "curves.png")
    parts = {"data %": 5.0, "forward %": 30.0, "backward %": 60.0, "optimizer %": 5.0}
    rows = [
        {"network": "a", "images/s": 900.0, **parts},
        {"network": "b", "images/s": 90.0, **parts},
    ]
    plot_networks(pd.DataFrame(rows), tmp_path / "networks.png")
    for name in ("curves", "networks"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
