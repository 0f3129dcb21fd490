"""The flows end to end, with a real Prefect server, real Ray and real training."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

from deployments.cli.runs.repeat import repeat_options
from fer_models.errors import GateError
from fer_models.history.runs import list_runs
from fer_models.progress import Progress, listening
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from flows.pipeline_config import PipelineConfig
from flows.prepare_data import prepare_data
from flows.results import Outcome
from flows.retrain import retrain
from flows.run_pipeline import run_pipeline
from flows.train_models import train_models
from tasks.stage import DONE, FROM_CACHE
from tests.flows.conftest import as_recipe, tiny_config

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.timeout(1800)]


@contextmanager
def finished_tasks() -> Iterator[dict[str, list[str]]]:
    """The names of executed tasks, and of those that came from the cache."""
    seen: dict[str, list[str]] = {DONE: [], FROM_CACHE: []}

    def listener(progress: Progress) -> None:
        if progress.note in seen:
            seen[progress.note].append(progress.stage)

    with listening(listener):
        yield seen


@pytest.fixture(scope="module")
def first_run(
    tmp_path_factory: pytest.TempPathFactory, prefect_server: None
) -> tuple[PipelineConfig, Outcome]:
    config = tiny_config(str(tmp_path_factory.mktemp("pipeline") / "a store"))
    return config, run_pipeline(recipe=as_recipe(config))


def test_a_run_promotes_a_model_and_writes_a_report(
    first_run: tuple[PipelineConfig, Outcome],
) -> None:
    config, outcome = first_run
    store = ArtifactStore(config.store)
    assert outcome.promotion.promoted
    current = Registry(store).current(CHAMPION)
    assert current is not None
    assert current.model_id == outcome.promotion.candidate_id
    names = [store.info(evaluation)["model_name"] for evaluation in outcome.trained.evaluations]
    assert names[:2] == ["compact_cnn", "scratch_cnn"]
    assert len(names) == 2 + len(config.ensemble.methods)
    page = store.read_file(outcome.run, "report.html").decode()
    assert outcome.promotion.candidate_id in page
    assert "<script src" not in page
    execution = store.read_json(outcome.run, "lineage.json")["execution"]
    steps = {step["step"]: step for step in execution["steps"]}
    assert steps["train-compact_cnn"]["artifact"] == outcome.trained.models[0].id
    assert all(step["seconds"] > 0 for step in steps.values() if not step["cached"])
    assert "Times and cost" in page
    assert "ferflow run --recipe /" in page
    assert "## Intended Use" in store.read_file(outcome.run, "MODEL_CARD.md").decode()


def test_a_run_publishes_its_summary_and_configuration_and_leaves_a_record(
    first_run: tuple[PipelineConfig, Outcome],
) -> None:
    config, outcome = first_run
    [record] = [one for one in list_runs(ArtifactStore(config.store)).runs if one.recorded]
    assert record.artifacts.report == outcome.run.id
    assert record.promoted
    assert {"ingest", "train-scratch_cnn", "promote", "report"} <= {s.step for s in record.steps}
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(UUID(record.flow_run_id))
        own = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
        published = {one.key for one in client.read_artifacts(artifact_filter=own)}
    assert {"summary", "configuration"} <= published
    assert (run.state_name, "promoted" in run.tags) == ("Promoted", True)


def test_an_identical_second_run_comes_from_the_cache(
    first_run: tuple[PipelineConfig, Outcome],
) -> None:
    config, outcome = first_run
    with finished_tasks() as seen:
        again = run_pipeline(recipe=as_recipe(config))
    assert again == outcome
    # The gate only reads the cached results; labels and review decisions may have changed.
    assert seen[DONE] == ["labelled_faces", "gate", "decisions"]
    assert len(seen[FROM_CACHE]) == 14 + len(config.ensemble.methods)


def test_only_a_changed_member_is_trained_again(first_run: tuple[PipelineConfig, Outcome]) -> None:
    config, _ = first_run
    member = config.members[1]
    changed = member.model_copy(
        update={"training": member.training.model_copy(update={"learning_rate": 2e-3})}
    )
    with finished_tasks() as seen:
        members = (config.members[0], changed)
        run_pipeline(recipe=as_recipe(config.model_copy(update={"members": members})))
    assert seen[DONE].count("train") == 1
    assert not {"ingest", "clean", "split", "tune"} & set(seen[DONE])


def test_a_student_is_distilled_from_earlier_members(
    first_run: tuple[PipelineConfig, Outcome],
) -> None:
    config, outcome = first_run
    student = config.members[0].model_copy(update={"name": "student", "teachers": ("scratch_cnn",)})
    with finished_tasks() as seen:
        members = (*config.members, student)
        trained = train_models(recipe=as_recipe(config.model_copy(update={"members": members})))
    assert seen[DONE].count("train") == 1
    lineage = ArtifactStore(config.store).read_json(trained.models[2], "lineage.json")
    assert lineage["teachers"] == [outcome.trained.models[1].id]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_results_in_another_store(
    first_run: tuple[PipelineConfig, Outcome], tmp_path: Path
) -> None:
    _, outcome = first_run
    other = run_pipeline(recipe=as_recipe(tiny_config(str(tmp_path / "other"))))
    assert other.trained.prepared.snapshot.id == outcome.trained.prepared.snapshot.id
    assert [model.id for model in other.trained.models] == [m.id for m in outcome.trained.models]
    assert [e.id for e in other.trained.evaluations] == [e.id for e in outcome.trained.evaluations]
    assert other.run.id == outcome.run.id


def test_retrain_keeps_a_recent_champion_of_the_same_data(
    first_run: tuple[PipelineConfig, Outcome],
) -> None:
    config, _ = first_run
    assert retrain(recipe=as_recipe(config)) is None


def test_retrain_challenges_an_old_champion_with_another_seed(
    first_run: tuple[PipelineConfig, Outcome],
) -> None:
    config, outcome = first_run
    fresh = retrain(recipe=as_recipe(config), overrides=("retraining.max_age_days=1e-9",))
    assert fresh is not None
    assert fresh.trained.prepared == outcome.trained.prepared
    assert not {m.id for m in fresh.trained.models} & {m.id for m in outcome.trained.models}
    store = ArtifactStore(config.store)
    trained_with = {store.info(model)["seed"] for model in fresh.trained.models}
    [record] = [run for run in list_runs(store).runs if run.artifacts.report == fresh.run.id]
    assert trained_with == {record.seed} != {config.seed}
    assert repeat_options(record)[repeat_options(record).index("--seed") + 1] == str(record.seed)


def test_a_rejection_by_the_gate_stops_the_flow_and_lists_all_failures(
    config: PipelineConfig,
) -> None:
    strict = config.validation.model_copy(
        update={"max_duplicate_fraction": 0.0, "max_leak_fraction": 0.0}
    )
    with finished_tasks() as seen, pytest.raises(GateError) as caught:
        prepare_data(recipe=as_recipe(config.model_copy(update={"validation": strict})))
    assert len(caught.value.problems) >= 2
    assert seen[DONE] == ["labelled_faces", "ingest", "validate"]


@pytest.mark.s3
def test_data_is_prepared_on_object_storage_and_cached_there(s3_store_url: str) -> None:
    config = tiny_config(s3_store_url)
    recipe = as_recipe(config)
    prepared = prepare_data(recipe=recipe)
    with finished_tasks() as seen:
        assert prepare_data(recipe=recipe) == prepared
    assert seen[FROM_CACHE] == ["ingest", "validate", "score", "clean", "split", "explore"]
    info = ArtifactStore(config.store).info(prepared.snapshot)
    assert set(info["split_counts"]) == {"train", "validation", "test"}
