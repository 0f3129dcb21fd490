"""The summary of a run, published by a real flow from references only."""

import re
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.runtime import flow_run

from fer_models.reporting.collect import RunRefs
from fer_models.storage.latest import recall
from fer_models.storage.refs import (
    EnsembleRef,
    EvaluationRef,
    ExplorationRef,
    ModelRef,
    PromotionRef,
    RunRef,
    SnapshotRef,
    TuningRef,
    ValidationRef,
)
from fer_models.storage.store import ArtifactStore
from flows.entry.started import refs_of
from flows.pipeline_config import PipelineConfig
from flows.recipes import load_config
from flows.results import Outcome
from flows.run_pipeline import run_pipeline
from tasks.artifacts.links import PAGES_VARIABLE
from tasks.summary import publish_configuration, publish_summary, summary_text
from tests.flows.conftest import as_recipe, tiny_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.timeout(1800),
]
SERVER = "http://127.0.0.1:4201"


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, prefect_server: None
) -> tuple[PipelineConfig, Outcome]:
    config = tiny_config(str(tmp_path_factory.mktemp("summary") / "store"))
    config = config.model_copy(
        update={
            "members": config.members[:1],
            "tuning": config.tuning.model_copy(update={"enabled": False}),
            "scoring": config.scoring.model_copy(update={"enabled": False}),
        }
    )
    return config, run_pipeline(recipe=as_recipe(config))


def _published(run_id: UUID) -> dict[str, str]:
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
        )
    return {str(one.key): str(one.data) for one in found if one.task_run_id is None}


def _summarised(config: PipelineConfig, outcome: Outcome) -> dict[str, str]:
    @flow
    def summarise() -> UUID:
        exploration = outcome.trained.prepared.exploration
        publish_configuration(config)
        publish_summary(config, refs_of(outcome), exploration, outcome.run, config.store)
        return UUID(str(flow_run.id))

    return _published(summarise())


def test_a_run_is_summarised_on_one_page(
    finished: tuple[PipelineConfig, Outcome], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config, outcome = finished
    monkeypatch.setenv(PAGES_VARIABLE, SERVER)
    shown = _summarised(config, outcome)
    assert shown.keys() == {"summary", "configuration"}
    text = shown["summary"]
    assert "compact\\_cnn: promoted to champion" in text
    assert "first champion" in text
    assert text.count(" ★ | ") == 1
    assert re.search(r"\| \d+\.\d % \\\[\d+\.\d \u2013 \d+\.\d\\\] n=\d+ \|", text)
    info = ArtifactStore(config.store).info(outcome.trained.prepared.snapshot)
    assert f"| images | {info['num_images']:,} |" in text
    for reason, count in info["reasons"].items():
        assert f"| quarantined: {reason.replace('_', chr(92) + '_')} | {count:,} |" in text
    for link in (
        f"[Report]({SERVER}/runs/{outcome.run.id}/report.html)",
        f"[Data gate]({SERVER}/validations/",
        f"[Champion]({SERVER}/models/{outcome.promotion.candidate_id}/)",
    ):
        assert link in text
    assert "Review by a person" not in text
    recipe = tmp_path / "again.yaml"
    recipe.write_text(shown["configuration"].removeprefix("```yaml\n").removesuffix("```"))
    assert load_config(str(recipe)) == config


def test_a_failed_summary_does_not_fail_the_run(
    finished: tuple[PipelineConfig, Outcome], caplog: pytest.LogCaptureFixture
) -> None:
    config, outcome = finished
    absent = outcome.trained.prepared.snapshot.model_copy(update={"id": "absent"})
    prepared = outcome.trained.prepared.model_copy(update={"snapshot": absent})
    trained = outcome.trained.model_copy(update={"prepared": prepared})
    shown = _summarised(config, outcome.model_copy(update={"trained": trained}))
    assert shown.keys() == {"configuration"}
    assert "no summary of the run: StoreError" in caplog.text


def test_commands_find_what_a_run_made_also_when_all_of_it_came_from_the_cache(
    finished: tuple[PipelineConfig, Outcome],
) -> None:
    config, outcome = finished
    store = ArtifactStore(config.store)

    def check() -> None:
        trained, prepared = outcome.trained, outcome.trained.prepared
        assert recall(store, "split", SnapshotRef) == prepared.snapshot
        assert recall(store, "clean", SnapshotRef).id
        assert recall(store, "validate", ValidationRef) == prepared.validation
        assert recall(store, "explore", ExplorationRef) == prepared.exploration
        assert recall(store, "train-compact_cnn", ModelRef) == trained.models[0]
        assert recall(store, "ensemble", EnsembleRef) == trained.ensemble
        assert recall(store, "evaluate-compact_cnn", EvaluationRef) == trained.evaluations[0]
        assert recall(store, "promote", PromotionRef) == outcome.promotion
        assert recall(store, "report", RunRef) == outcome.run

    check()
    store.remove_folder("latest")
    assert run_pipeline(recipe=as_recipe(config)) == outcome
    check()


def test_a_tuned_run_links_the_plots_of_its_trials(
    finished: tuple[PipelineConfig, Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, outcome = finished
    monkeypatch.delenv(PAGES_VARIABLE, raising=False)
    store = ArtifactStore(config.store)
    tuning = store.put(TuningRef, "t", {"trials.png": b""}, {"plots": ["trials.png"]})
    refs = refs_of(outcome)
    tuned = RunRefs(**{**vars(refs), "tuning": tuning})
    exploration = outcome.trained.prepared.exploration
    text = summary_text(config, tuned, exploration, outcome.run, store)
    assert f"- Tuning: trials.png: `{tuning.url}/trials.png`" in text
