"""Executed and cached task runs publish their artifacts and are remembered as the latest."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterId,
)
from prefect.client.schemas.objects import Artifact
from prefect.runtime import flow_run
from pydantic import BaseModel

from fer_models.progress import Progress, listening, report
from fer_models.storage.config import StoreConfig
from fer_models.storage.latest import recall, recall_if_any
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.links import PAGES_VARIABLE
from tasks.artifacts.publish import publish_link, publish_table
from tasks.cache.results import results_in
from tasks.listeners import BarListener
from tasks.stage import DONE, FROM_CACHE, stage


class _Member(BaseModel):
    name: str


def _publish(snapshot: SnapshotRef, parameters: Mapping[str, Any]) -> None:
    publish_table("numbers", [{"accuracy": 0.123456789}], parameters["member"].name)
    publish_link("page", f"{snapshot.url}/report.html", "The page")


@stage("fer_models.cleaning.clean", publish=_publish, latest="work-{member.name}")
def work(member: _Member, store: StoreConfig) -> SnapshotRef:
    return ArtifactStore(store).put(SnapshotRef, "an-id", {}, {})


@flow
def work_only(store: StoreConfig) -> tuple[UUID, SnapshotRef]:
    with results_in(store):
        return UUID(str(flow_run.id)), work(_Member(name="small"), store)


def published(run_id: UUID) -> dict[str, Artifact]:
    """The artifacts of a flow run by key."""
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
        )
    return {str(artifact.key): artifact for artifact in found}


@pytest.fixture
def notes() -> Iterator[list[str]]:
    """How tasks ended: executed or from the cache."""
    seen: list[str] = []

    def listener(progress: Progress) -> None:
        if progress.note in (DONE, FROM_CACHE):
            seen.append(progress.note)

    with listening(listener):
        yield seen


@pytest.mark.usefixtures("prefect_server")
def test_a_result_from_the_cache_publishes_and_is_remembered_like_an_executed_one(
    store: ArtifactStore, notes: list[str]
) -> None:
    for _ in range(2):
        run_id, snapshot = work_only(store.config)
        shown = published(run_id)
        assert shown.keys() == {"numbers", "page"}
        assert all(artifact.task_run_id for artifact in shown.values())
        assert '"accuracy": "12.3 %"' in str(shown["numbers"].data)
        assert shown["numbers"].description == "small"
        assert recall(store, "work-small", SnapshotRef) == snapshot
        store.remove_folder("latest")
    assert notes == [DONE, FROM_CACHE]


@pytest.mark.usefixtures("prefect_server")
def test_the_page_server_changes_links_but_no_cache_key(
    store: ArtifactStore, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PAGES_VARIABLE, raising=False)
    run_id, snapshot = work_only(store.config)
    page = published(run_id)["page"]
    assert page.type == "markdown"
    assert f"`{snapshot.url}/report.html`" in str(page.data)
    monkeypatch.setenv(PAGES_VARIABLE, "http://127.0.0.1:4201")
    run_id, again = work_only(store.config)
    assert again == snapshot
    assert "(http://127.0.0.1:4201/datasets/an-id/report.html)" in str(
        published(run_id)["page"].data
    )
    assert notes == [DONE, FROM_CACHE]


@pytest.mark.usefixtures("prefect_server")
def test_a_failed_publication_is_a_warning(
    store: ArtifactStore, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object, __: object) -> None:
        raise RuntimeError("the UI is away")

    @stage("fer_models.cleaning.clean", publish=fail, latest="absent-{absent.name}")
    def unlucky(store: StoreConfig) -> SnapshotRef:
        return ArtifactStore(store).ref(SnapshotRef, "unlucky")

    @flow
    def unlucky_only() -> SnapshotRef:
        with results_in(store.config):
            return unlucky(store.config)

    with caplog.at_level(logging.WARNING):
        assert unlucky_only().id == "unlucky"
    text = caplog.text
    assert "artifacts were not published: RuntimeError: the UI is away" in text
    assert "not remembered as the latest: KeyError" in text
    assert not [record for record in caplog.records if record.levelno > logging.WARNING]


@pytest.mark.usefixtures("prefect_server")
def test_futures_of_other_tasks_are_resolved(store: ArtifactStore) -> None:
    seen: list[Any] = []

    def see(_: object, parameters: Mapping[str, Any]) -> None:
        seen.append(parameters["snapshots"])

    @stage("fer_models.cleaning.clean", publish=see)
    def combine(snapshots: list[SnapshotRef], store: StoreConfig) -> SnapshotRef:
        return snapshots[0]

    @flow
    def both() -> SnapshotRef:
        with results_in(store.config):
            first = work.submit(_Member(name="first"), store.config)
            return combine([first], store.config)  # type: ignore[list-item]

    result = both()
    assert seen == [[result]]
    assert recall(store, "combine", SnapshotRef) == result


def test_a_task_function_without_prefect_publishes_and_remembers_nothing(
    store: ArtifactStore,
) -> None:
    work.fn(_Member(name="alone"), store.config)
    assert recall_if_any(store, "work-alone", SnapshotRef) is None


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(("step_s", "expected"), [(4.0, {"progress-long": 100.0}), (1.0, {})])
def test_a_long_task_shows_a_progress_bar(
    store: ArtifactStore, step_s: float, expected: dict[str, float]
) -> None:
    clock = iter(range(1000))
    bar = BarListener(clock=lambda: step_s * next(clock))
    percents: list[float] = []

    @stage("fer_models.cleaning.clean", cached=False)
    def long(store: StoreConfig) -> None:
        with listening(bar):
            for epoch in range(4):
                report("long", epoch, 4, "epochs", note="training")
                if bar._bar is not None:
                    # By its id: without a filter only the first 200 of the server are listed.
                    wanted = ArtifactFilter(id=ArtifactFilterId(any_=[bar._bar]))
                    with get_client(sync_client=True) as client:
                        percents.extend(
                            float(str(one.data))
                            for one in client.read_artifacts(artifact_filter=wanted)
                        )
        bar.finish()

    @flow
    def long_only() -> UUID:
        long(store.config)
        return UUID(str(flow_run.id))

    shown = published(long_only())
    assert {key: float(str(one.data)) for key, one in shown.items()} == expected
    assert percents == ([25.0, 25.0, 75.0] if expected else [])


@pytest.mark.usefixtures("prefect_server")
def test_a_bar_that_cannot_be_written_is_given_up_and_does_not_fail_the_task(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[float] = []

    def refuse(progress: float, *_: object) -> UUID:
        calls.append(progress)
        raise ConnectionError("no answer")

    monkeypatch.setattr("tasks.listeners.create_progress_artifact", refuse)

    @stage("fer_models.cleaning.clean", cached=False)
    def long(store: StoreConfig) -> int:
        with listening(BarListener(every_s=0.0)):
            for epoch in range(4):
                report("long", epoch, 4, "epochs")
        return 1

    assert flow(lambda: long(store.config), name="long-only")() == 1
    assert calls == [0.0]
