"""The flow `predict-batch`: how it ends, what it shows, and what it does about drift."""

from pathlib import Path

import numpy as np
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
    FlowRunFilter,
    FlowRunFilterId,
)
from prefect.client.schemas.objects import FlowRun

from fer_models.errors import ConfigError
from fer_models.history.runs import list_runs
from fer_models.storage.refs import PredictionsRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from flows.predict_batch import predict_batch
from flows.request import request_of
from tests.fer_models.builders import draw_faces
from tests.fer_models.inference.builders import stored_network, write_picture


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    for number, face in enumerate(draw_faces(np.arange(4), 3)):
        write_picture(tmp_path / "incoming" / f"{number}.png", face)
    return tmp_path / "incoming"


def _run(store: ArtifactStore, incoming: Path, *overrides: str) -> tuple[FlowRun, str]:
    state = predict_batch(
        pictures=(str(incoming),), store=store.url, overrides=overrides, return_state=True
    )
    assert state.state_details.flow_run_id is not None
    with get_client(sync_client=True) as client:
        return client.read_flow_run(state.state_details.flow_run_id), str(state.message)


@pytest.mark.usefixtures("prefect_server")
def test_new_pictures_are_predicted_and_then_there_is_nothing_to_do(
    store: ArtifactStore, incoming: Path
) -> None:
    Registry(store).set(CHAMPION, stored_network(store).id, "by a test")
    first, _ = _run(store, incoming)
    assert first.state_name == "Completed"
    assert first.tags == ["demo", "incoming", "manual"]
    assert first.name.startswith("predict-batch demo · incoming · ")
    with get_client(sync_client=True) as client:
        wanted = ArtifactFilter(key=ArtifactFilterKey(any_=["predictions"]))
        [table] = client.read_artifacts(artifact_filter=wanted)
    assert "4 faces in 4 new pictures" in str(table.description)
    second, message = _run(store, incoming)
    assert (second.state_name, message) == ("Nothing to do", "no new pictures among 4")
    assert [(run.flow, run.state, run.data) for run in list_runs(store).runs] == [
        ("predict-batch", state, (str(incoming),)) for state in ("skipped", "completed")
    ]
    assert len(store.list_ids(PredictionsRef)) == 1


@pytest.mark.usefixtures("prefect_server")
def test_drift_is_measured_if_it_is_watched(store: ArtifactStore, incoming: Path) -> None:
    Registry(store).set(CHAMPION, stored_network(store).id, "by a test")
    outcome = predict_batch(
        pictures=(str(incoming),),
        store=store.url,
        overrides=('retraining.recent_images=["predictions:7d"]',),
    )
    assert outcome.drift is not None
    assert (outcome.drift.num_images, outcome.drift.judged) == (4, False)


@pytest.mark.usefixtures("prefect_server")
def test_the_training_data_may_be_away(store: ArtifactStore, incoming: Path) -> None:
    Registry(store).set(CHAMPION, stored_network(store).id, "by a test")
    away = (f"data.sources=[{incoming.parent / 'away.csv'}]",)
    predicted = predict_batch(pictures=(str(incoming),), store=store.url, overrides=away)
    assert predicted.outcome.predicted == 4


@pytest.mark.usefixtures("prefect_server")
def test_a_run_without_pictures_is_refused(store: ArtifactStore) -> None:
    with pytest.raises(ConfigError, match="expected folders of pictures"):
        predict_batch(store=store.url)


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("net-nope", "no id starts with 'net-nope'"),
        ("champion", "there is no champion yet"),
        ("bundled:nope", "expected a shipped bundle"),
    ],
)
def test_a_model_that_does_not_exist_is_refused_without_a_retry(
    store: ArtifactStore, incoming: Path, model: str, reason: str
) -> None:
    stored_network(store)
    run, message = _run(store, incoming, f"prediction.model={model}")
    assert run.state_name == "Failed"
    assert reason in message
    with get_client(sync_client=True) as client:
        only = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
        [task] = client.read_task_runs(flow_run_filter=only)
    assert (task.state_name, task.run_count) == ("Failed", 1)


def test_the_parameters_become_settings(tmp_path: Path) -> None:
    request = request_of(
        {"recipe": "demo", "pictures": ["in", "s3://b/in"], "model": "", "redo": True}
    )
    config = request.resolve().prediction
    assert config.pictures == (str(Path("in").absolute()), "s3://b/in")
    assert (config.model, config.redo) == ("champion", True)
