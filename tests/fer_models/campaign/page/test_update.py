from pathlib import Path

import pytest

from fer_models.campaign.page.update import marks, update_page
from fer_models.campaign.result import ResultsFolder, TrainingResult
from fer_models.errors import DataError
from tests.fer_models.campaign.page.tiny import PLAN, results

BEGIN, END = marks("tiny")
AFTER = "\n\nAfter\n\n{}\nkept\n{}\n".format(*marks("other"))


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "page.md"
    file.write_text(f"# Before\n\n{BEGIN}\nold\n{END}{AFTER}")
    return file


def update(page: Path, trained: list[TrainingResult]) -> str:
    update_page(page, PLAN, trained, ResultsFolder(page.parent / "merged"))
    return page.read_text()


def test_only_what_is_between_the_marks_of_its_plan_is_replaced(page: Path) -> None:
    update(page, results("base", [690, 695]))
    text = update(page, results("base", [700, 704]))
    assert text.startswith(f"# Before\n\n{BEGIN}\n\n| experiment |")
    assert text.endswith(f"\n\n{END}{AFTER}")
    assert text.count("| `base` | 2 |") == 1
    assert "old" not in text


def test_differences_come_with_a_chart_above_the_table(page: Path) -> None:
    assert "![" not in update(page, results("base", [700, 704]))
    assert not (page.parent / "images").exists()
    text = update(page, results("base", [700, 704]) + results("new", [710, 711]))
    (link,) = (line for line in text.splitlines() if line.startswith("!["))
    file = link.partition("](")[2].rstrip(")")
    assert (page.parent / file).read_bytes().startswith(b"\x89PNG")
    assert text.index("![") < text.index("| experiment |")


@pytest.mark.parametrize("text", [None, "no marks"])
def test_a_page_without_marks_is_left_alone(tmp_path: Path, text: str | None) -> None:
    page = tmp_path / "page.md"
    if text is not None:
        page.write_text(text)
    with pytest.raises(DataError, match="add them"):
        update(page, results("base", [700]))
    assert not page.exists() or page.read_text() == text
