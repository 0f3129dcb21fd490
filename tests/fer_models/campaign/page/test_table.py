from pathlib import Path

import numpy as np

from fer_models.campaign.page.comparison import differences, measured_by
from fer_models.campaign.page.table import results_table
from fer_models.campaign.result import LABELS, ResultsFolder, TrainingResult
from tests.fer_models.campaign.page.tiny import PLAN, result, results


def table(trained: list[TrainingResult], folder: ResultsFolder) -> str:
    return results_table(PLAN, measured_by(PLAN, trained), folder)


def cells(text: str, experiment: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.startswith(f"| `{experiment}`"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_has_mean_range_and_the_difference_with_its_interval(tmp_path: Path) -> None:
    trained = results("new", [710, 716, 719]) + results("base", [700, 704, 702])
    found = table(trained, ResultsFolder(tmp_path))
    row = cells(found, "new")
    assert row[1:5] == ["3", "1.50 M", "80 M", "9"]
    assert row[6] == "71.5 % (71.0 to 71.9)"
    difference = differences(PLAN, measured_by(PLAN, trained))["new"]
    assert row[10] == f"+1.3 [{difference.low:+.1f}, {difference.high:+.1f}]"
    assert cells(found, "base")[10] == ""
    assert "later" not in found


def test_one_seed_has_a_difference_without_an_interval(tmp_path: Path) -> None:
    trained = [result("new", 0, 710), result("base", 0, 700)]
    row = cells(table(trained, ResultsFolder(tmp_path)), "new")
    assert (row[6], row[9], row[10]) == ("71.0 %", "", "+1.0")


def test_networks_of_an_experiment_are_averaged(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    labels = np.array([0, 1, 0, 1], dtype=np.int16)
    each = [[[0.9, 0.1], [0.6, 0.4], [0.95, 0.05], [0.1, 0.9]], [[0.4, 0.6], [0.1, 0.9]] * 2]
    trained = results("base", [700, 700])
    for one, probs in zip(trained, each, strict=True):
        folder.write(one, {"affine": np.array(probs, dtype=np.float16), LABELS: labels})
    # Right for all four; the first network alone for three, the second for two.
    assert cells(table(trained, folder), "base")[9] == "100.0 %"


def test_a_mean_stays_where_the_predictions_of_the_same_trainings_are_elsewhere(
    tmp_path: Path,
) -> None:
    folder, empty = ResultsFolder(tmp_path / "all"), ResultsFolder(tmp_path / "none")
    trained = results("base", [700, 710])
    for one in trained:
        probs = np.array([[0.9, 0.1], [0.2, 0.8]], dtype=np.float16)
        folder.write(one, {"affine": probs, LABELS: np.array([0, 0], dtype=np.int16)})
    before = table(trained, folder)
    assert cells(before, "base")[9] == "50.0 %"
    again = results_table(PLAN, measured_by(PLAN, trained), empty, before)
    assert again == before
    others = results("base", [700, 720])
    later = results_table(PLAN, measured_by(PLAN, others), empty, before)
    assert cells(later, "base")[9] == ""
