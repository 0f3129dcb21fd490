"""Ray is started with patience, and what failed is explained."""

from typing import Any

import pytest

from fer_models import ray_start
from fer_models.errors import TrainingError
from fer_models.progress import Progress, listening
from fer_models.ray_start import start_ray

REASON = "The current node timed out during startup. more lines"


class SlowRay:
    """`ray.init` that fails a number of times, as on a machine that is busy."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.options: list[dict[str, Any]] = []

    def __call__(self, **options: Any) -> None:
        self.options.append(options)
        if len(self.options) <= self.failures:
            raise TimeoutError(REASON.replace(". ", ".\n"))


@pytest.fixture
def slow_ray(monkeypatch: pytest.MonkeyPatch) -> Any:
    def with_failures(number: int) -> SlowRay:
        import ray

        init = SlowRay(number)
        monkeypatch.setattr(ray, "init", init)
        return init

    monkeypatch.setattr(ray_start.os, "getloadavg", lambda: (40.0, 40.0, 40.0))
    return with_failures


def test_a_busy_machine_gets_more_attempts(slow_ray: Any) -> None:
    init = slow_ray(2)
    events: list[Progress] = []
    with listening(events.append):
        start_ray(4, 0, None)
    assert len(init.options) == 3
    assert [event.note for event in events] == [
        f"Ray did not start ({REASON}); attempt {number}" for number in (2, 3)
    ]
    assert init.options[0]["_node_ip_address"] == "127.0.0.1"
    assert init.options[0]["num_cpus"] >= 4


def test_after_the_last_attempt_the_load_is_named(slow_ray: Any) -> None:
    init = slow_ray(99)
    with pytest.raises(TrainingError, match=r"in 3 attempts: .*load average 40\.0 on \d+ cores"):
        start_ray(1, 0, None)
    assert len(init.options) == 3


def test_a_cluster_gets_one_attempt(slow_ray: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    init = slow_ray(99)
    with pytest.raises(TrainingError, match=r"on 127\.0\.0\.1:6379: ") as caught:
        start_ray(1, 0, None)
    assert "load average" not in str(caught.value)
    assert len(init.options) == 1
