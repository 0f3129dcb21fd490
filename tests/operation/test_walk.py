"""Everything that docs/ui.md describes, done in a browser on a real `ferflow up`."""

from pathlib import Path

import pytest

from tests.deployments.processes import Workspace
from tests.operation.prefect_ui import opened_browser
from tests.operation.served import served
from tests.operation.walk import CRON, Walk

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1800)]


def test_an_operator_walks_through_the_ui_and_an_edited_schedule_survives(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    store = tmp_path / "store"
    options = ("--recipe", "tiny.yaml", "--store", str(store))
    with opened_browser(tmp_path) as page:
        with served(workspace, *options) as up:
            Walk(workspace, store, up, page).all()
            assert up.stop() == 0
        with served(workspace, *options) as up:
            assert up.facts["schedule"] == CRON
            Walk(workspace, store, up, page).has_the_edited_schedule()
