"""Chromium for tests of pages, under the flags that a container needs."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)


@contextmanager
def chromium_context(folder: Path, **settings: Any) -> Iterator[Any]:
    """A browser with a new profile; the camera shows a test picture. Skips without Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            str(folder / "profile"), executable_path=program, args=list(_FLAGS), **settings
        )
        yield context
        context.close()


@contextmanager
def chromium_page(folder: Path, **settings: Any) -> Iterator[Any]:
    """A page of a browser of its own; see `chromium_context`."""
    with chromium_context(folder, **settings) as context:
        yield context.new_page()
