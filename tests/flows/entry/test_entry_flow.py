"""How a deployed flow's run appears in Prefect: its name, its tags and its final state."""

import datetime as dt
from pathlib import Path

import pytest
from prefect import State
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
)
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import ArtifactSort
from prefect.states import Scheduled

from fer_models.errors import ConfigError
from fer_models.history.runs import list_runs
from fer_models.processes import PROCESS_LABEL, process_tag
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import PromotionRef
from fer_models.storage.store import ArtifactStore
from flows.entry import StartedRun, entry_flow, forceable_run, short_run
from flows.entry.started import ATTEMPT_LABEL
from flows.results import Outcome

pytestmark = pytest.mark.usefixtures("prefect_server")


@entry_flow("entry-test", short_run)
def whatever(run: StartedRun) -> int:
    return run.config.seed


@entry_flow("entry-judged", short_run)
def judged(run: StartedRun) -> Outcome:
    promotion = PromotionRef(
        id="p",
        url="u",
        promoted=run.config.seed != 2,
        candidate_id="c",
        champion_id=None,
        reason="why",
        judged=run.config.seed != 3,
    )
    run._summarise = lambda _: None  # type: ignore[method-assign] # these have no artifacts
    return run.judged(Outcome.model_construct(trained=None, promotion=promotion, run=None))


@entry_flow("entry-idle", forceable_run)
def idle(run: StartedRun) -> None:
    if not run.force:
        run.nothing_to_do("nothing new")


@entry_flow("entry-reconfigured", short_run)
def reconfigured(run: StartedRun) -> None:
    run.reconfigure(run.config.model_copy(update={"seed": 7}))


@entry_flow("entry-broken", short_run)
def broken(run: StartedRun) -> None:
    raise RuntimeError("out of luck")


def _run_of(state: State[object]) -> FlowRun:
    assert state.state_details.flow_run_id is not None
    with get_client(sync_client=True) as client:
        return client.read_flow_run(state.state_details.flow_run_id)


def test_a_run_is_named_and_tagged_and_knows_its_process(tmp_path: Path) -> None:
    run = _run_of(whatever(store=str(tmp_path), return_state=True))
    assert run.name.startswith("entry-test demo · synthetic · ")
    assert run.tags == ["demo", "synthetic", "manual"]
    assert run.labels[PROCESS_LABEL] == process_tag()
    with get_client(sync_client=True) as client:
        states = {str(state.id): state.name for state in client.read_flow_run_states(run.id)}
    assert states[str(run.labels[ATTEMPT_LABEL])] == "Running"


def test_a_given_name_is_kept(tmp_path: Path) -> None:
    state = whatever(store=str(tmp_path), run_name="wider network", return_state=True)
    assert _run_of(state).name == "wider network"


@pytest.mark.parametrize(
    ("seed", "name", "tag"),
    [
        (1, "Promoted", "promoted"),
        (2, "Not promoted", "not-promoted"),
        (3, "Champion already", "champion-already"),
    ],
)
def test_the_final_state_and_a_tag_tell_the_verdict(
    tmp_path: Path, seed: int, name: str, tag: str
) -> None:
    state = judged(store=str(tmp_path), seed=seed, return_state=True)
    assert (state.name, state.message) == (name, "why")
    assert state.is_completed()
    assert tag in _run_of(state).tags
    assert judged(store=str(tmp_path), seed=seed).promotion.reason == "why"


def test_every_run_leaves_a_record_in_its_store(tmp_path: Path) -> None:
    store = ArtifactStore(StoreConfig(url=str(tmp_path)))
    judged(store=store.url, seed=2, run_name="first")
    idle(store=store.url, run_name="second")
    with pytest.raises(RuntimeError):
        broken(store=store.url, run_name="third")
    records = {run.name: run for run in list_runs(store).runs}
    assert {name: run.state for name, run in records.items()} == {
        "first": "not-promoted",
        "second": "skipped",
        "third": "failed",
    }
    assert records["first"].message == "why"
    assert records["third"].message == "out of luck"
    assert records["first"].seed == 2
    assert records["first"].trigger == "cli"


def test_a_run_that_goes_on_with_another_seed_records_and_shows_it(tmp_path: Path) -> None:
    store = ArtifactStore(StoreConfig(url=str(tmp_path)))
    run = _run_of(reconfigured(store=store.url, seed=5, return_state=True))
    [record] = list_runs(store).runs
    assert (record.seed, record.config["seed"]) == (7, 7)
    wanted = ArtifactFilter(
        key=ArtifactFilterKey(any_=["configuration"]),
        flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]),
    )
    with get_client(sync_client=True) as client:
        shown = client.read_artifacts(artifact_filter=wanted, sort=ArtifactSort.UPDATED_DESC)
    assert "seed: 7\n" in str(shown[0].data)


def test_a_run_without_a_reason_says_so(tmp_path: Path) -> None:
    state = idle(store=str(tmp_path), return_state=True)
    assert (state.name, state.message) == ("Nothing to do", "nothing new")
    assert idle(store=str(tmp_path), force=True, return_state=True).name == "Completed"


def test_a_wrong_parameter_stops_the_run_before_its_first_task(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"overrides members\.9\.name"):
        whatever(store=str(tmp_path), overrides=("members.9.name=x",))


def test_a_run_that_cannot_be_tracked_as_asked_says_so_on_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "absent"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    assert whatever(store=str(tmp_path), seed=5, overrides=("tracking.mode=online",)) == 5
    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=["tracking"]))
    with get_client(sync_client=True) as client:
        [page] = client.read_artifacts(artifact_filter=wanted)
    assert "tracking.mode=online: no key for api.wandb.ai found" in str(page.data)


def test_of_several_late_scheduled_runs_only_the_newest_does_anything(tmp_path: Path) -> None:
    from flows.entry.late import newer_scheduled_run

    now = dt.datetime.now(tz=dt.UTC)
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow(whatever), "late")
        runs = [
            client.create_flow_run_from_deployment(
                deployment, state=Scheduled(scheduled_time=now - dt.timedelta(hours=hours))
            )
            for hours in (3, 2, 1)
        ]
        late = [run.model_copy(update={"auto_scheduled": True}) for run in runs]
        assert newer_scheduled_run(late[0], only_automatic=False) == runs[2].name
        assert newer_scheduled_run(late[1], only_automatic=False) == runs[2].name
        assert newer_scheduled_run(late[2], only_automatic=False) is None
        # A run that a person started is never replaced, and none replaces a scheduled one.
        assert newer_scheduled_run(runs[0]) is None
        assert newer_scheduled_run(late[0]) is None
