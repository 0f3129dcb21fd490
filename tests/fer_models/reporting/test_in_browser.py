"""The report in Chromium: on a phone, on a wide screen, in the dark and on paper."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from tests.fer_models.reporting.builders import make_run
from validation.config import ValidationConfig
from validation.gate import validate_snapshot

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PHONE, LAPTOP = (390, 844), (1400, 900)
# Elements that reach beyond the right edge and are in no part that scrolls by itself.
_TOO_WIDE = """() => {
  const edge = document.documentElement.clientWidth;
  const scrolls = (e) => e && (['auto', 'scroll', 'hidden'].includes(getComputedStyle(e).overflowX)
    || scrolls(e.parentElement));
  return [...document.querySelectorAll('main *, header *, nav *')].filter((e) =>
    e.getBoundingClientRect().right > edge + 1 && !scrolls(e.parentElement))
    .map((e) => e.tagName + '.' + e.className + ' ' + e.textContent.trim().slice(0, 30));
}"""
_CUT = """() => [...document.querySelectorAll('.card:not(.long), .tile, figure')]
  .filter((e) => getComputedStyle(e).breakInside !== 'avoid').length"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The URLs of the report and of the data gate's page."""
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("browser"))))
    run = make_run(store, failed=2, with_truth=True)
    gate = validate_snapshot(store, run.snapshot, ValidationConfig())
    written = run.write(store)
    return {
        "report": store.fetch(written, "report.html").as_uri(),
        "gate": store.fetch(gate, "report.html").as_uri(),
    }


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def opened(chromium: Any, url: str, size: tuple[int, int], **context: Any) -> tuple[Any, list[str]]:
    """The page, and everything that went wrong or was requested from elsewhere."""
    window = chromium.new_context(viewport={"width": size[0], "height": size[1]}, **context)
    page, problems = window.new_page(), []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda one: problems.append(one.url) if one.url != url else None)
    page.goto(url)
    return page, [one for one in problems if not one.startswith("data:")]


@pytest.mark.parametrize("which", ["report", "gate"])
@pytest.mark.parametrize("size", [PHONE, (768, 1024), LAPTOP], ids=str)
def test_nothing_is_wider_than_the_screen(
    chromium: Any, pages: dict[str, str], which: str, size: tuple[int, int]
) -> None:
    page, problems = opened(chromium, pages[which], size)
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    assert page.evaluate(_TOO_WIDE) == []
    assert problems == []


def test_the_contents_stay_at_the_left_of_a_wide_screen(
    chromium: Any, pages: dict[str, str]
) -> None:
    page, _ = opened(chromium, pages["report"], LAPTOP)
    contents, main = page.locator("nav.contents"), page.locator("main")
    page.click("nav.contents a[href='#data']")
    box, beside = contents.bounding_box(), main.bounding_box()
    assert box["x"] + box["width"] <= beside["x"]
    assert 0 <= box["y"] < 40
    assert page.locator("#data").bounding_box()["y"] == pytest.approx(14, abs=6)


def test_the_contents_are_a_bar_on_a_phone_and_do_not_hide_what_they_lead_to(
    chromium: Any, pages: dict[str, str]
) -> None:
    page, _ = opened(chromium, pages["report"], PHONE)
    page.click("nav.contents a[href='#training']")
    bar = page.locator("nav.contents").bounding_box()
    assert bar["height"] < 60
    assert page.locator("#training").bounding_box()["y"] >= bar["y"] + bar["height"]


def test_dark_screens_get_a_dark_page(chromium: Any, pages: dict[str, str]) -> None:
    page, _ = opened(chromium, pages["report"], LAPTOP, color_scheme="dark")
    colour = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(colour) == "rgb(15, 19, 24)"


@pytest.mark.parametrize("which", ["report", "gate"])
def test_paper_has_no_contents_and_no_cut_cards(
    chromium: Any, pages: dict[str, str], which: str, tmp_path: Path
) -> None:
    page, _ = opened(chromium, pages[which], (700, 900))
    page.emulate_media(media="print")
    assert not page.locator("nav.contents").is_visible()
    assert page.evaluate(_CUT) == 0
    printed = page.pdf(path=str(tmp_path / "page.pdf"), prefer_css_page_size=True)
    assert re.search(rb"/MediaBox \[0 0 59[45][^ ]* 84[12]", printed)  # A4: 595 x 842 points


@pytest.mark.parametrize("which", ["report", "gate"])
def test_every_picture_has_a_text(chromium: Any, pages: dict[str, str], which: str) -> None:
    page, _ = opened(chromium, pages[which], LAPTOP)
    for selector, attribute in (("img", "alt"), ("svg", "aria-label")):
        texts = page.locator(f"main {selector}").evaluate_all(
            f"all => all.map((one) => one.getAttribute('{attribute}') || '')"
        )
        assert all(text.strip() for text in texts)
