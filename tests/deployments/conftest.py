"""Chromium, shared by the tests of pages."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.deployments.chromium import chromium_context

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator["BrowserContext"]:
    """Chromium with an empty profile and no network."""
    settings = {"offline": True, "viewport": {"width": 1280, "height": 900}}
    with chromium_context(tmp_path_factory.mktemp("browser"), **settings) as context:
        yield context
