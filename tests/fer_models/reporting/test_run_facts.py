"""Times and cost of an execution, in words."""

import pytest

from fer_models.reporting.execution import Execution, StepTime
from fer_models.reporting.run_facts import compute_cost, duration, moment, step_rows


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (10.2, "10 s"), (59.6, "1 min 0 s"), (108, "1 min 48 s"),
     (3600, "1 h 0 min"), (7530, "2 h 5 min")],
)  # fmt: skip
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_moment_is_in_utc() -> None:
    assert moment(1795868409.8) == "28 November 2026, 12:20 UTC"


def step(name: str, seconds: float | None, cached: bool = False, made_by: str = "") -> StepTime:
    return StepTime(
        step=name, artifact=name, seconds=seconds, cached=cached, ended_s=0, made_by=made_by
    )


def test_evaluations_share_a_row_and_the_longest_step_has_the_full_bar() -> None:
    rows = step_rows(
        [
            step("ingest", 4.0, cached=True, made_by="run-a"),
            step("train-a", 8.0),
            step("train-b", 2.0),
            step("evaluate-a", 0.5),
            step("evaluate-b", 0.25),
            step("promote", None, cached=True),
        ]
    )
    assert [row.name for row in rows] == ["ingest", "train-a", "train-b", "evaluate", "promote"]
    assert [row.share for row in rows] == [0.5, 1.0, 0.25, 0.75 / 8, 0.0]
    assert (rows[0].cached, rows[0].made_by) == (True, "run-a")
    assert (rows[3].note, rows[3].seconds) == ("2 models", 0.75)
    assert rows[4].seconds is None


def test_the_cost_is_time_on_the_whole_machine() -> None:
    execution = Execution(
        id="a", started_s=0, now_s=1800, machine={"cores": 4, "gpus": ["H100", "H100"]}
    )
    expected = "2.00 core-hours (4 cores for 30 min 0 s), 1.00 GPU-hours (2 GPUs)"
    assert compute_cost(execution) == expected
    assert compute_cost(Execution(id="a", started_s=0, now_s=5)) == ""
