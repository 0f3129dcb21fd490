import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deployments.cli.task.explore import explore
from fer_models.storage.config import StoreConfig
from fer_models.storage.latest import remember
from fer_models.storage.store import ArtifactStore
from tests.fer_models.exploration.builders import cleaned_snapshot, plain_snapshot


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(StoreConfig(url=str(tmp_path)))


def run_explore(store: ArtifactStore, *arguments: str) -> Result:
    return CliRunner().invoke(explore, [*arguments, "--store", store.url])


def test_explore_uses_the_latest_stage_of_the_data(store: ArtifactStore) -> None:
    cleaned = cleaned_snapshot(store)
    remember(store, "ingest", plain_snapshot(store, [1, 2], ["train"] * 2))
    remember(store, "clean", cleaned)
    result = run_explore(store)
    assert result.exit_code == 0, result.output
    assert "120 (114 kept)" in result.output
    assert "report.html" in result.output
    assert "fear" in result.output


def test_explore_accepts_a_snapshot_id_and_prints_json(store: ArtifactStore) -> None:
    raw = plain_snapshot(store, [1], ["train"])
    result = run_explore(store, "--snapshot", raw.id[:10], "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout.splitlines()[-1])
    assert answer["snapshot"] == raw.id
    assert answer["num_images"] == 1
    assert Path(answer["report_url"].removeprefix("file://")).exists()


def test_explore_without_a_snapshot_names_the_step_to_run_first(store: ArtifactStore) -> None:
    result = run_explore(store)
    assert result.exit_code == 2
    assert "ferflow task ingest" in result.output
