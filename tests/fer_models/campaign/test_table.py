from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from fer_models.campaign.config import CampaignPlan
from fer_models.campaign.plan import Task
from fer_models.campaign.result import LABELS, VIEWS, ResultsFolder, Score, TrainingResult
from fer_models.campaign.table import marks, replace_table, results_table
from fer_models.errors import DataError
from fer_models.training.config import MemberConfig

PLAN = CampaignPlan.model_validate(
    {
        "name": "tiny",
        "experiments": [
            {"name": "base", "member": MemberConfig(name="base")},
            {
                "name": "new",
                "baseline": "base",
                "question": "?",
                "member": MemberConfig(name="new"),
            },
            {"name": "later", "member": MemberConfig(name="later")},
        ],
    }
)


def result(experiment: str, seed: int, correct: int) -> TrainingResult:
    score = Score(correct=correct, n=1000, unseen_correct=correct // 2, unseen_n=500)
    return TrainingResult(
        key=Task(PLAN.experiment(experiment), seed).key(PLAN, ""),
        experiment=experiment,
        seed=seed,
        is_final=False,
        scores=dict.fromkeys(VIEWS, score),
        model_id="",
        snapshot_id="",
        parameters=1_500_000,
        multiply_adds=80_000_000,
        epochs=9,
        best_epoch=8,
        train_seconds=60,
        machine="",
        member={},
        finished="",
    )


def cells(table: str, experiment: str) -> list[str]:
    (line,) = (line for line in table.splitlines() if line.startswith(f"| `{experiment}`"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_has_mean_range_and_the_interval_of_the_difference(tmp_path: Path) -> None:
    ours, theirs = [710, 716, 719], [700, 704, 702]
    results = [result("new", seed, correct) for seed, correct in enumerate(ours)]
    results += [result("base", seed, correct) for seed, correct in enumerate(theirs)]
    table = results_table(PLAN, results, ResultsFolder(tmp_path))
    row = cells(table, "new")
    assert row[1:5] == ["3", "1.50 M", "80 M", "9"]
    assert row[6] == "71.5 % (71.0 to 71.9)"
    expected = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    assert row[10] == f"+1.3 [{expected.low / 10:+.1f}, {expected.high / 10:+.1f}]"
    assert cells(table, "base")[10] == ""
    assert "later" not in table


def test_one_seed_has_a_difference_without_an_interval(tmp_path: Path) -> None:
    results = [result("new", 0, 710), result("base", 0, 700)]
    row = cells(results_table(PLAN, results, ResultsFolder(tmp_path)), "new")
    assert (row[6], row[9], row[10]) == ("71.0 %", "", "+1.0")


def test_networks_of_an_experiment_are_averaged(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    labels = np.array([0, 1, 0, 1], dtype=np.int16)
    each = [[[0.9, 0.1], [0.6, 0.4], [0.95, 0.05], [0.1, 0.9]], [[0.4, 0.6], [0.1, 0.9]] * 2]
    results = [result("base", seed, 700) for seed in (0, 1)]
    for one, probs in zip(results, each, strict=True):
        folder.write(one, {"affine": np.array(probs, dtype=np.float16), LABELS: labels})
    # Right for all four; the first network alone for three, the second for two.
    assert cells(results_table(PLAN, results, folder), "base")[9] == "100.0 %"


def test_a_row_leaves_out_what_was_trained_otherwise_under_its_name(tmp_path: Path) -> None:
    results = [result("new", 0, 710), result("new", 1, 720), result("base", 0, 700)]
    other_plan = PLAN.model_copy(update={"name": "other"})
    folder = ResultsFolder(tmp_path)
    assert cells(results_table(PLAN, results, folder), "new")[1] == "2"
    assert "| `new`" not in results_table(other_plan, results, folder)
    slower = result("new", 2, 900).model_copy(update={"key": "of other settings"})
    assert cells(results_table(PLAN, [*results, slower], folder), "new")[1] == "2"


def test_only_the_table_of_its_plan_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (begin, end), (other, other_end) = marks("tiny"), marks("other")
    rest = f"After\n\n{other}\nkept\n{other_end}\n"
    page.write_text(f"# Before\n\n{begin}\nold\n{end}\n\n{rest}")
    replace_table(page, "tiny", "new")
    replace_table(page, "tiny", "newer")
    assert page.read_text() == f"# Before\n\n{begin}\n\nnewer\n\n{end}\n\n{rest}"


@pytest.mark.parametrize("text", [None, "no marks"])
def test_a_page_without_marks_is_left_alone(tmp_path: Path, text: str | None) -> None:
    page = tmp_path / "page.md"
    if text is not None:
        page.write_text(text)
    with pytest.raises(DataError, match="add them"):
        replace_table(page, "tiny", "new")
    assert not page.exists() or page.read_text() == text
