"""Write table and chart of a plan to a page in Markdown, between two marks."""

from collections.abc import Sequence
from pathlib import Path

from fer_models.campaign.config import CampaignPlan
from fer_models.campaign.page.chart import differences_png
from fer_models.campaign.page.comparison import measured_by
from fer_models.campaign.page.table import results_table
from fer_models.campaign.result import ResultsFolder, TrainingResult, write_text
from fer_models.errors import DataError

_IMAGES = "images"


def marks(plan_name: str) -> tuple[str, str]:
    """The lines of a page between which the results of a plan are written."""
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


def update_page(
    page: Path, plan: CampaignPlan, results: Sequence[TrainingResult], folder: ResultsFolder
) -> None:
    """Replace what is between the marks of a plan, and its chart in the folder `images` beside.

    Args:
        page: has the marks of the plan.
        plan: names, order and baselines.
        results: of any plans.
        folder: holds their predictions.

    Raises:
        DataError: the page is missing, or lacks the marks.

    Example:
        update_page(Path("docs/campaign.md"), read_plan("ablations"), results, folder)
    """
    begin, end = marks(plan.name)
    before, rest = check_page(page, plan.name).split(begin, 1)
    earlier, after = rest.split(end, 1)
    measured = measured_by(plan, results)
    parts = [begin, results_table(plan, measured, folder, earlier), end]
    if (png := differences_png(plan, measured)) is not None:
        image = page.parent / _IMAGES / f"campaign-{plan.name}.png"
        image.parent.mkdir(exist_ok=True)
        image.write_bytes(png)
        parts.insert(1, f"![What each experiment gains over its baseline]({_IMAGES}/{image.name})")
    write_text(page, before + "\n\n".join(parts) + after)
