"""A review page in a browser, as tests handle it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page


def saved(page: "Page", folder: Path) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name="Save decisions").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def tile(page: "Page", number: int) -> Any:
    return page.locator(".tile").nth(number)
