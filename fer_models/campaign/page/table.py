"""The results of a campaign as a table in Markdown, one row for each experiment."""

from collections.abc import Sequence

import numpy as np

from fer_models.campaign.config import CampaignPlan
from fer_models.campaign.page.comparison import Difference, Measured, differences
from fer_models.campaign.result import LABELS, VIEWS, ResultsFolder, TrainingResult

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


_MEAN = _HEADER.index("mean of its networks")


def results_table(
    plan: CampaignPlan, measured: Measured, folder: ResultsFolder, earlier: str = ""
) -> str:
    """A row for each experiment that has results, in the order of the plan.

    Accuracies are means over the seeds with the lowest and highest; see `differences` for those
    to the baseline.

    Args:
        plan: questions and baselines.
        measured: of any number of seeds.
        folder: holds their predictions, for the mean of several networks.
        earlier: the table before; its means stay where the predictions of the same trainings are
            not in the folder.
    """
    against = differences(plan, measured)
    rows = [_row(name, own, against.get(name), folder) for name, own in measured.items()]
    _keep_means(rows, earlier)
    lines = [_line(_HEADER), _line(["---"] * len(_HEADER)), *map(_line, rows)]
    questions = [f"* `{one.name}`: {one.question}" for one in plan.experiments if one.question]
    return "\n".join([*lines, "", *questions])


def _row(
    name: str,
    own: Sequence[TrainingResult],
    difference: Difference | None,
    folder: ResultsFolder,
) -> list[str]:
    first = own[0]
    return [
        f"`{name}`",
        str(len(own)),
        f"{first.parameters / 1e6:.2f} M",
        f"{first.multiply_adds / 1e6:.0f} M",
        str(first.epochs),
        *(_range([one.scores[tta].accuracy for one in own]) for tta in VIEWS),
        _range([_unseen(one) for one in own]),
        _mean_of_networks(own, folder),
        _against(difference),
        f"{np.mean([one.train_seconds for one in own]):.0f}",
    ]


def _keep_means(rows: Sequence[list[str]], earlier: str) -> None:
    """Fill the means that are missing from the rows of an earlier table with the same scores."""
    scored = slice(_HEADER.index("seeds"), _MEAN)
    before = [line.strip("| ").split(" | ") for line in earlier.splitlines() if "`" in line]
    known = {(one[0], *one[scored]): one[_MEAN] for one in before if len(one) == len(_HEADER)}
    for row in rows:
        row[_MEAN] = row[_MEAN] or known.get((row[0], *row[scored]), "")


def _unseen(result: TrainingResult) -> float:
    score = result.scores["affine"]
    return score.unseen_correct / score.unseen_n if score.unseen_n else float("nan")


def _range(shares: list[float]) -> str:
    low, high = 100 * min(shares), 100 * max(shares)
    spread = f" ({low:.1f} to {high:.1f})" if len(shares) > 1 else ""
    return f"{100 * np.mean(shares):.1f} %{spread}"


def _mean_of_networks(results: Sequence[TrainingResult], folder: ResultsFolder) -> str:
    """Accuracy of the mean prediction of all seeds, 18 views each."""
    arrays = [folder.read_predictions(one.key) for one in results]
    if len(arrays) < 2 or not all(arrays):
        return ""
    probs_NK = np.mean([one["affine"].astype(np.float64) for one in arrays], axis=0)
    return f"{100 * np.mean(probs_NK.argmax(1) == arrays[0][LABELS]):.1f} %"


def _against(difference: Difference | None) -> str:
    if difference is None:
        return ""
    text = f"{difference.points:+.1f}"
    if difference.low is None or difference.high is None:
        return text
    return f"{text} [{difference.low:+.1f}, {difference.high:+.1f}]"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
