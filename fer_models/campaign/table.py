"""The results of a campaign as a table in Markdown, one row for each experiment."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_models.campaign.config import CampaignPlan, Experiment
from fer_models.campaign.plan import Task
from fer_models.campaign.result import LABELS, VIEWS, ResultsFolder, TrainingResult, write_text
from fer_models.errors import DataError

_HEADER = (
    "experiment",
    "seeds",
    "parameters",
    "multiply-adds",
    "epochs",
    "one view",
    "mirror",
    "18 views",
    "unseen, 18 views",
    "mean of its networks",
    "against baseline, mirror",
    "seconds",
)
_CONFIDENCE = 0.95


def results_table(
    plan: CampaignPlan, results: Sequence[TrainingResult], folder: ResultsFolder
) -> str:
    """A row for each experiment that has results, in the order of the plan.

    Accuracies are means over the seeds with the lowest and highest; the difference to the baseline
    has Welch's 95 % interval over seeds where both have at least two.

    Args:
        plan: names, order and baselines.
        results: of any number of seeds; final fits are left out, and what other plans, or other
            settings, have trained under the same name.
        folder: holds their predictions, for the mean of several networks.
    """
    measured = {one.name: _of(one, plan, results) for one in plan.experiments}
    rows = [
        _row(experiment, measured[experiment.name], measured.get(experiment.baseline, []), folder)
        for experiment in plan.experiments
        if measured[experiment.name]
    ]
    lines = [_line(_HEADER), _line(["---"] * len(_HEADER)), *map(_line, rows)]
    questions = [f"* `{one.name}`: {one.question}" for one in plan.experiments if one.question]
    return "\n".join([*lines, "", *questions])


def marks(plan_name: str) -> tuple[str, str]:
    """The lines of a page between which the table of a plan is written."""
    return f"<!-- results of {plan_name}, by campaign-merge -->", f"<!-- end of {plan_name} -->"


def check_page(page: Path, plan_name: str) -> str:
    """The text of a page that has both marks of a plan.

    Raises:
        DataError: the page is missing, or lacks the marks.
    """
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    begin, end = marks(plan_name)
    if begin not in text or end not in text:
        raise DataError(
            f"{page}: expected a page with the lines {begin!r} and {end!r}, between which the "
            "table is written; add them, or choose another --page"
        )
    return text


def replace_table(page: Path, plan_name: str, table: str) -> None:
    """Replace the table between the two marks of a plan on a page.

    Raises:
        DataError: the page is missing, or lacks the marks.
    """
    begin, end = marks(plan_name)
    before, rest = check_page(page, plan_name).split(begin, 1)
    after = rest.split(end, 1)[1]
    write_text(page, f"{before}{begin}\n\n{table}\n\n{end}{after}")


def _of(
    experiment: Experiment, plan: CampaignPlan, results: Sequence[TrainingResult]
) -> list[TrainingResult]:
    return [
        one
        for one in results
        if one.experiment == experiment.name
        and one.scores
        and one.key == Task(experiment, one.seed).key(plan, one.snapshot_id)
    ]


def _row(
    experiment: Experiment,
    own: list[TrainingResult],
    baseline: list[TrainingResult],
    folder: ResultsFolder,
) -> list[str]:
    first = own[0]
    return [
        f"`{experiment.name}`",
        str(len(own)),
        f"{first.parameters / 1e6:.2f} M",
        f"{first.multiply_adds / 1e6:.0f} M",
        str(first.epochs),
        *(_range([_accuracy(one, tta) for one in own]) for tta in VIEWS),
        _range([_unseen(one) for one in own]),
        _mean_of_networks(own, folder),
        _difference(own, baseline),
        f"{np.mean([one.train_seconds for one in own]):.0f}",
    ]


def _accuracy(result: TrainingResult, tta: str) -> float:
    return result.scores[tta].accuracy


def _unseen(result: TrainingResult) -> float:
    score = result.scores["affine"]
    return score.unseen_correct / score.unseen_n if score.unseen_n else float("nan")


def _range(shares: list[float]) -> str:
    low, high = 100 * min(shares), 100 * max(shares)
    spread = f" ({low:.1f} to {high:.1f})" if len(shares) > 1 else ""
    return f"{100 * np.mean(shares):.1f} %{spread}"


def _mean_of_networks(results: list[TrainingResult], folder: ResultsFolder) -> str:
    """Accuracy of the mean prediction of all seeds, 18 views each."""
    arrays = [folder.read_predictions(one.key) for one in results]
    if len(arrays) < 2 or not all(arrays):
        return ""
    probs_NK = np.mean([one["affine"].astype(np.float64) for one in arrays], axis=0)
    return f"{100 * np.mean(probs_NK.argmax(1) == arrays[0][LABELS]):.1f} %"


def _difference(own: list[TrainingResult], baseline: list[TrainingResult]) -> str:
    from scipy.stats import ttest_ind

    if not baseline:
        return ""
    ours, theirs = ([100 * _accuracy(one, "flip") for one in side] for side in (own, baseline))
    text = f"{np.mean(ours) - np.mean(theirs):+.1f}"
    if min(len(ours), len(theirs)) < 2 or np.ptp(ours) + np.ptp(theirs) == 0:
        return text
    interval = ttest_ind(ours, theirs, equal_var=False).confidence_interval(_CONFIDENCE)
    return f"{text} [{interval.low:+.1f}, {interval.high:+.1f}]"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
