import prefect.task_engine
import pytest
from prefect import flow, task

from deployments.interrupted import QuickExit, ending_as_cancelled
from fer_models.signals import Terminated


class _NoExit(QuickExit):
    def __init__(self) -> None:
        self.code = 0

    def with_code(self, code: int) -> None:
        self.code = code


@task
def step() -> None: ...


@flow
def inner() -> None:
    step()


@flow
def outer() -> None:
    inner()


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(("kind", "code"), [(Terminated, 143), (KeyboardInterrupt, 130)])
def test_a_signal_while_prefect_creates_a_task_run_is_no_error_of_prefect(
    kind: type[BaseException], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(**_: object) -> None:
        raise kind

    monkeypatch.setattr(prefect.task_engine, "_create_task_run_locally", interrupted)
    at_exit = _NoExit()
    with pytest.raises(kind), ending_as_cancelled(None, at_exit):
        outer()  # Prefect raises ValueError: Task run is not set
    assert at_exit.code == code
