import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deployments.cli.latest import remember
from deployments.cli.task.explore import explore
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from tests.fer_models.exploration.builders import cleaned_snapshot, plain_snapshot


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(StoreConfig(url=str(tmp_path)))


def ask(store: ArtifactStore, *arguments: str) -> Result:
    return CliRunner().invoke(explore, [*arguments, "--store", store.url])


def test_explore_takes_the_snapshot_that_came_furthest(store: ArtifactStore) -> None:
    cleaned = cleaned_snapshot(store)
    remember(store, "ingest", plain_snapshot(store, [1, 2], ["train"] * 2))
    remember(store, "clean", cleaned)
    asked = ask(store)
    assert asked.exit_code == 0, asked.output
    assert "120 (114 kept)" in asked.output
    assert "report.html" in asked.output
    assert "fear" in asked.output


def test_explore_looks_at_a_named_snapshot_and_answers_in_json(store: ArtifactStore) -> None:
    raw = plain_snapshot(store, [1], ["train"])
    asked = ask(store, "--snapshot", raw.id[:10], "--json")
    assert asked.exit_code == 0, asked.output
    answer = json.loads(asked.stdout.splitlines()[-1])
    assert answer["snapshot"] == raw.id
    assert answer["num_images"] == 1
    assert Path(answer["report_url"].removeprefix("file://")).exists()


def test_explore_without_a_snapshot_says_what_to_run_first(store: ArtifactStore) -> None:
    asked = ask(store)
    assert asked.exit_code == 2
    assert "ferflow task ingest" in asked.output
