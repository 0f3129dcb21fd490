"""The project's own pages work in Chromium under the server's Content-Security-Policy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.pages.server import PageServer
from fer_models.exploration.explore import explore_snapshot
from fer_models.review.page import store_review_page
from fer_models.storage.store import ArtifactStore
from tests.deployments.chromium import chromium_page
from tests.fer_models.exploration import builders as exploration_builders
from tests.fer_models.review import builders as review_builders
from validation.config import ValidationConfig
from validation.gate import validate_snapshot

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    with chromium_page(tmp_path) as opened:
        yield opened


def test_pages_render_and_the_review_page_saves(store: ArtifactStore, page: Any) -> None:
    snapshot = exploration_builders.cleaned_snapshot(store)
    exploration = explore_snapshot(store, snapshot)
    validation = validate_snapshot(store, snapshot, ValidationConfig())
    review = store_review_page(store, review_builders.cleaned_snapshot(store))
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    with PageServer(store.config, port=0) as server:
        page.goto(server.url)
        page.click(f"text={exploration.id}")
        assert page.url == f"{server.url}/explorations/{exploration.id}/report.html"
        assert page.locator("img, svg").count() > 3
        loaded = "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
        assert page.evaluate(loaded)
        for path in ("report.html", "data_docs/index.html", "results.json"):
            assert page.goto(f"{server.url}/validations/{validation.id}/{path}").status == 200
        page.goto(f"{server.url}/explorations/{exploration.id}/classes.png")
        assert page.evaluate("document.images[0].naturalWidth") > 0
        page.goto(f"{server.url}/reviews/{review.id}/")
        assert page.evaluate(loaded)
        page.keyboard.press("d")
        with page.expect_download() as download:
            page.click("text=Save decisions")
        assert "image_id" in Path(download.value.path()).read_text()
    assert not problems
