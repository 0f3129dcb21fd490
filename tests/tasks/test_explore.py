import re
from pathlib import Path

import pytest
from prefect import flow
from prefect.client.orchestration import get_client

from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ExplorationRef
from fer_models.storage.store import ArtifactStore
from tasks.cache.results import results_in
from tasks.explore import explore
from tests.fer_models.exploration.builders import cleaned_snapshot


@pytest.mark.usefixtures("prefect_server")
def test_exploring_publishes_the_page_and_the_figures_with_plots(tmp_path: Path) -> None:
    config = StoreConfig(url=str(tmp_path / "store"))
    store = ArtifactStore(config)
    snapshot = cleaned_snapshot(store)

    @flow
    def explore_only() -> ExplorationRef:
        with results_in(config):
            return explore(snapshot, config)

    exploration = explore_only()
    assert store.exists(exploration)
    with get_client(sync_client=True) as client:
        shown = {one.key: str(one.data) for one in client.read_latest_artifacts()}
    assert exploration.report_url in shown["exploration"]
    text = shown["exploration-figures"]
    assert "| images | 120 (114 kept) |" in text
    assert re.search(r"\| fear \| \d+ \| \d+ \|", text)
    assert text.count("](data:image/png;base64,") == 3
    assert explore_only() == exploration
