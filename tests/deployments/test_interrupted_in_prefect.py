import prefect.task_engine
import pytest
from prefect import flow, task

from deployments.interrupted import ending_as_cancelled
from fer_models.signals import Terminated


@task
def step() -> None: ...


@flow
def inner() -> None:
    step()


@flow
def outer() -> None:
    inner()


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("kind", [Terminated, KeyboardInterrupt])
def test_a_signal_while_prefect_creates_a_task_run_is_no_error_of_prefect(
    kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(**_: object) -> None:
        raise kind

    monkeypatch.setattr(prefect.task_engine, "_create_task_run_locally", interrupted)
    with pytest.raises(kind), ending_as_cancelled(None):
        outer()  # Prefect raises ValueError: Task run is not set
