"""A flow that waits for a person, on a real Prefect server."""

import contextvars
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from prefect.client.schemas.objects import FlowRun

from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import ConfigError, GateError
from fer_models.review.decisions import open_decisions
from fer_models.storage.latest import recall
from fer_models.storage.refs import DecisionsRef, ReviewRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.links import PAGES_VARIABLE
from tasks.review import (
    REVIEW_STEP,
    _shown_link,
    build_review,
    check_reviewable,
    decisions,
    record_decisions,
    wait_for_review,
)
from tests.fer_models.review.builders import cleaned_snapshot

HEADER = "image_id,action,label\n"
Answer = dict[str, str]


@flow(name="review-test-child")
def child(snapshot: SnapshotRef, store: ArtifactStore, timeout_s: int) -> DecisionsRef | None:
    page_url = build_review(snapshot, store.config)
    assert Path(page_url).is_file() or page_url.startswith("file://")
    return wait_for_review(snapshot, page_url, store.config, timeout_s, poll_interval_s=1)


def in_thread(work: Callable[[], Any]) -> Callable[[], Any]:
    """Start `work` in a thread; call the returned function to wait for its result."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001 - handed to the test
            results.append(error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=lambda: context.run(run), daemon=True)
    thread.start()

    def result() -> Any:
        thread.join(timeout=60)
        assert results, "the flow did not finish"
        return results[0]

    return result


def paused_run(name: str, seen: set[str]) -> FlowRun:
    """The next unseen pause of the run with this name."""
    with get_client(sync_client=True) as client:
        for _ in range(300):
            for run in client.read_flow_runs(
                flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=[name]))
            ):
                assert run.state is not None
                key = run.state.state_details.pause_key
                if run.state.is_paused() and key not in seen:
                    seen.add(str(key))
                    return run
            time.sleep(0.2)
    raise AssertionError("the flow did not pause")


def resume(run: FlowRun, answer: Answer) -> str:
    """Answer the form; returns the text that it showed."""
    assert run.state is not None
    keyset = run.state.state_details.run_input_keyset
    assert keyset is not None
    with get_client(sync_client=True) as client:
        for _ in range(50):  # the form is written just after the pause
            schema = client.read_flow_run_input(run.id, keyset["schema"])
            if schema and client.read_flow_run_input(run.id, keyset["description"]):
                break
            time.sleep(0.1)
        text = client.read_flow_run_input(run.id, keyset["description"])
        assert "Decisions file" in schema
        client.resume_flow_run(run.id, run_input=answer)
    return " ".join(str(text).replace("\\n", " ").split())


@pytest.fixture
def snapshot(store: ArtifactStore) -> SnapshotRef:
    return cleaned_snapshot(store)


@pytest.mark.usefixtures("prefect_server")
def test_a_subflow_waits_rejects_invalid_answers_and_continues_with_the_decisions(
    store: ArtifactStore, snapshot: SnapshotRef, tmp_path: Path
) -> None:
    name, seen = f"review-{tmp_path.name}", set[str]()
    path = tmp_path / "decisions file.csv"
    path.write_text(f"{HEADER}hand/000001,relabel,neutral\n")
    running = child.with_options(flow_run_name=name)

    @flow(name="review-test-caller")
    def caller() -> DecisionsRef | None:
        return running(snapshot, store, 60)

    result = in_thread(caller)
    form = resume(paused_run(name, seen), {"decisions": f"{HEADER}hand/000001,delete,\n"})
    assert "ferflow review --snapshot" in form
    assert "last answer was invalid" not in form
    form = resume(paused_run(name, seen), {"decisions": f"{HEADER}hand/000012,drop,\n"})
    assert "line 2 (hand/000001): expected the action" in form
    form = resume(paused_run(name, seen), {"decisions_file": str(tmp_path / "absent.csv")})
    assert "about test images" in form
    answer = {"decisions_file": str(path), "decisions": f"{HEADER}hand/000003,drop,\n"}
    form = resume(paused_run(name, seen), answer)
    assert "absent.csv" in form

    version = result()
    assert isinstance(version, DecisionsRef), version
    assert version.version == 1
    assert open_decisions(store, version)["action"].tolist() == ["relabel", "drop"]


@pytest.mark.usefixtures("prefect_server")
def test_an_empty_answer_continues_with_the_decisions_in_force(
    store: ArtifactStore, snapshot: SnapshotRef, tmp_path: Path
) -> None:
    name, seen = f"review-{tmp_path.name}", set[str]()
    result = in_thread(lambda: child.with_options(flow_run_name=name)(snapshot, store, 60))
    resume(paused_run(name, seen), {})
    assert result() is None


@pytest.mark.usefixtures("prefect_server")
def test_a_timeout_fails_the_run_with_a_remedy(store: ArtifactStore, snapshot: SnapshotRef) -> None:
    with pytest.raises(GateError, match=r"nobody reviewed .* run it again"):
        child(snapshot, store, 2)


def test_a_pause_that_nobody_could_end_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(ConfigError, match=r"ferflow up.*ferflow review.*--decisions FILE"),
    ):
        check_reviewable()


def test_an_answer_withdraws_a_decision_that_followed_a_renamed_image(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    manifest = open_snapshot(store, snapshot).manifest.set_index("image_id")
    sha = manifest.loc["hand/000003", "pixel_sha256"]
    header = "image_id,pixel_sha256,action,label\n"
    record_decisions.fn(f"{header}before,{sha},drop,\n", store.config)
    answer = f"{header}hand/000003,{sha},reset,\n"
    assert open_decisions(store, record_decisions.fn(answer, store.config, snapshot)).empty


def test_the_decisions_in_force_are_read_without_a_server(store: ArtifactStore) -> None:
    assert decisions.fn(store.config) is None


def test_the_form_links_to_the_page_server(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "file:///data/store/reviews/0a1b/review.html"
    monkeypatch.delenv(PAGES_VARIABLE, raising=False)
    assert _shown_link(url) == f"```\n{url}\n```"
    monkeypatch.setenv(PAGES_VARIABLE, "http://127.0.0.1:4201")
    address = "http://127.0.0.1:4201/reviews/0a1b/review.html"
    assert _shown_link(url) == f"[{address}]({address})"


@pytest.mark.usefixtures("prefect_server")
def test_the_review_page_is_remembered_for_the_summary(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    @flow
    def review_only() -> str:
        return build_review(snapshot, store.config)

    page_url = review_only()
    review = recall(store, REVIEW_STEP, ReviewRef)
    assert review.page_url == page_url
    assert store.exists(review)
