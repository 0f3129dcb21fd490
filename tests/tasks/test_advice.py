"""Settings that messages of tasks name: following them changes what the next run does."""

import os
import sys
from functools import partial
from typing import Any

import pytest
from prefect import flow
from prefect.settings import PREFECT_API_URL, temporary_settings

import tasks.house_keeping
from fer_models.dataset.snapshot import KEPT, open_snapshot
from fer_models.errors import ConfigError
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from flows.pipeline_config import PipelineConfig
from flows.prepare_data import _clean
from flows.recipes import load_config
from tasks.cache.results import results_in
from tasks.house_keeping import house_keeping
from tasks.review import check_reviewable, record_decisions, wait_for_review
from tests.fer_models.following import assigned, refusal
from tests.fer_models.review.builders import cleaned_snapshot

REVIEWED = (
    "cleaning.pause_for_review=true",
    "cleaning.review_timeout_h=0.0003",  # about 1 s
    "scoring.enabled=false",
)


def configured(store: ArtifactStore, *settings: str) -> PipelineConfig:
    return load_config("demo", [f"store.url={store.url}", *REVIEWED, *settings])


@flow(name="advice-test-clean")
def cleaned(raw: SnapshotRef, config: PipelineConfig) -> SnapshotRef:
    with results_in(config.store):
        return _clean(raw, config)


@pytest.mark.usefixtures("prefect_server")
def test_a_review_that_nobody_answers_is_left_out_as_proposed(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = cleaned_snapshot(store)
    soon = partial(wait_for_review, poll_interval_s=1)
    module = sys.modules[_clean.__module__]  # the package has a flow of this name
    monkeypatch.setattr(module, "wait_for_review", soon)
    message = refusal(lambda config: cleaned(raw, config), configured(store))
    assert "nobody reviewed" in message
    assert assigned(message) == ["cleaning.pause_for_review=false"]
    assert store.exists(cleaned(raw, configured(store, *assigned(message))))


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("honour", ["true", "false"])
def test_decisions_made_without_a_server_are_applied_as_proposed(
    store: ArtifactStore, honour: str
) -> None:
    """Whatever `cleaning.honour_decisions` was: a pause applies the answer in either case."""
    raw = cleaned_snapshot(store)
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(ConfigError) as caught,
    ):
        check_reviewable()
    text = "image_id,action,label\nhand/000009,drop,\n"
    record_decisions.fn(text, store.config)  # as `ferflow task clean --decisions FILE`
    settings = [f"cleaning.honour_decisions={honour}", *assigned(caught.value.message)]
    assert "cleaning.pause_for_review=false" in settings
    manifest = open_snapshot(store, cleaned(raw, configured(store, *settings))).manifest
    dropped = manifest.set_index("image_id").loc["hand/000009"]
    assert dropped["status"] != KEPT
    assert dropped["reason"] == "by_person"


def test_what_would_be_deleted_is_deleted_as_proposed(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[str] = []
    monkeypatch.setattr(tasks.house_keeping, "publish_table", lambda *given: texts.append(given[2]))
    store.put(ModelRef, "model-01", {"weights": b"12"}, {}, name="m")
    for path in store.local_root.rglob("*"):
        os.utime(path, (1, 1))
    unused = ["retention.keep_days=0", "retention.keep_runs=0", "retention.min_age_h=0"]

    def keep_house(*settings: str) -> dict[str, Any]:
        config = load_config("demo", [*unused, *settings])
        found: dict[str, Any] = house_keeping.fn(config.retention, store.config)
        tasks.house_keeping._publish(found, {"store": store.config})
        return found

    keep_house()
    assert store.list_ids(ModelRef) == ["model-01"]
    assert "Would be deleted with retention.delete=true" in texts[-1]
    keep_house(*assigned(texts[-1]))
    assert store.list_ids(ModelRef) == []
    assert "Deleted" in texts[-1]
