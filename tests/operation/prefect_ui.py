"""Prefect's UI as an operator uses it (the second version, which Prefect 3.8 opens by default)."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

WIDTH_PX, HEIGHT_PX = 1280, 900
PATIENCE_MS = 60_000  # of a busy machine
_FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"


@contextmanager
def opened_browser(folder: Path) -> Iterator[Page]:
    """A page in Chromium with a profile of its own; skips the test without Chromium."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            str(folder / "profile"),
            executable_path=chromium,
            args=_FLAGS.split(),
            viewport={"width": WIDTH_PX, "height": HEIGHT_PX},
            timezone_id="UTC",
        )
        context.set_default_timeout(PATIENCE_MS)
        yield context.new_page()
        context.close()


class PrefectUi:
    """What an operator does in the UI, by clicks; nothing is asked of the API.

    Args:
        page: of a browser.
        address: what `ferflow up` prints as the address of the UI.
    """

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address

    def open_deployment(self, name: str) -> None:
        """From the front page by the menu to the page of a deployment."""
        self.page.goto(self.address)
        self.page.get_by_role("link", name="Deployments").click()
        links = self.page.locator("a[href*='/deployments/deployment/']")
        links.get_by_text(name, exact=True).first.click()
        expect(self.page.get_by_role("button", name="Run", exact=True)).to_be_visible()

    def open_form(self, name: str) -> None:
        """The form of a new run of a deployment."""
        self.open_deployment(name)
        self.page.get_by_role("button", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Custom run").click()
        expect(self._submit).to_be_visible()

    def fields(self) -> list[str]:
        """The labels of all fields of the form."""
        expect(self.page.get_by_text("overrides (Optional)")).to_be_visible()
        return self.page.locator("form label").all_inner_texts()

    def recipes(self) -> list[str]:
        """The recipes that the form offers."""
        self._open_recipes()
        offered = self.page.get_by_role("option").all_inner_texts()
        self.page.keyboard.press("Escape")
        return offered

    def choose_recipe(self, name: str) -> None:
        """Choose a recipe of the list."""
        self._open_recipes()
        self.page.get_by_role("option", name=name, exact=True).click()

    def override(self, text: str) -> None:
        """Write the only override; the first time, its item is added."""
        cards = self.page.locator("form [data-slot=card]")
        card = cards.nth(1)  # that of `data` comes first
        if not card.locator("textarea, input").count():
            card.get_by_role("button", name="Add item").click()
        card.locator("textarea, input").first.fill(text)

    def switch_on(self, field: str) -> None:
        """Turn a switch of the form on."""
        self.page.get_by_label(f"{field} (Optional)").click()
        expect(self.page.get_by_label(f"{field} (Optional)")).to_be_checked()

    def refused(self) -> str:
        """Submit a form that is refused; what the message says."""
        self._submit.click()
        expect(self._message).to_be_visible()
        return self._message.inner_text()

    def scroll_up(self) -> None:
        """Show the upper end of the page, once its last message is gone."""
        self.page.mouse.move(0, 0)  # a message below the mouse stays
        expect(self._message).to_have_count(0)
        self.page.get_by_role("main").get_by_text("Deployments").first.scroll_into_view_if_needed()

    def submitted(self) -> UUID:
        """Submit a form that is accepted, and open the new run; its id."""
        expect(self._message).to_have_count(0)
        self._submit.click()
        expect(self._message).to_contain_text("scheduled to start now")
        self._message.get_by_role("link", name="View run").click()
        self.page.wait_for_url("**/runs/flow-run/**")
        found = re.search(r"/runs/flow-run/([0-9a-f-]{36})", self.page.url)
        assert found is not None, self.page.url
        return UUID(found[1])

    @property
    def head(self) -> Locator:
        """The head of a run's page: name, tags, state."""
        return self.page.get_by_role("main")

    def shows_state(self, *names: str) -> str:
        """Wait until the page of the run shows one of these states; which one."""
        state = self.head.locator("[data-slot=badge]").filter(
            has_text=re.compile(f"^({'|'.join(map(re.escape, names))})$")
        )
        expect(state.first).to_be_visible(timeout=10 * PATIENCE_MS)
        return state.first.inner_text()

    def open_artifact(self, key: str) -> Locator:
        """By the tab Artifacts of a run to its newest artifact of that key; the text."""
        self.page.get_by_role("tab", name="Artifacts").click()
        self.page.locator(f"a[href$='/artifacts/key/{key}']").click()
        self.page.locator("a[href*='/artifacts/artifact/']").first.click()
        text = self.page.get_by_test_id("markdown-display")
        expect(text).to_be_visible()
        return text

    def cancel(self) -> None:
        """Cancel the run of this page by its menu."""
        self.head.get_by_role("button", name="Open menu").first.click()
        self.page.get_by_role("menuitem", name="Cancel", exact=True).click()
        dialog = self.page.get_by_role("alertdialog")
        dialog.get_by_role("button", name="Cancel Flow Run").click()
        expect(dialog).to_have_count(0)

    def lists_run(self, name: str) -> None:
        """Wait until the page of a deployment lists a run of that name."""
        expect(self.page.get_by_role("main").get_by_role("link", name=name).first).to_be_visible()

    @property
    def schedule(self) -> Locator:
        """The box of the only schedule on the page of a deployment."""
        boxes = self.page.locator("[data-slot=card]")
        return boxes.filter(has=self.page.get_by_role("switch", name="toggle"))

    def edit_schedule(self, cron: str) -> None:
        """Edit the schedule by its own menu: that of the page edits the deployment instead."""
        self.schedule.get_by_role("button", name="Open menu").click()
        self.page.get_by_role("menuitem", name="Edit", exact=True).click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_role("tab", name="Cron").click()
        dialog.get_by_label("Value").fill(cron)
        dialog.get_by_role("button", name="Save").click()
        expect(self._message).to_contain_text("Deployment schedule updated")
        expect(dialog).to_have_count(0)

    def _open_recipes(self) -> None:
        self.page.get_by_role("button", name="Select recipe").click()
        expect(self.page.get_by_role("option").first).to_be_visible()

    @property
    def _submit(self) -> Locator:
        return self.page.get_by_role("button", name="Submit")

    @property
    def _message(self) -> Locator:
        return self.page.locator("[data-sonner-toast]")
