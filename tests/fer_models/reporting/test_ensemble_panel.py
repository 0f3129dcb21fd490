"""The section about the ensemble, from the stored choice."""

from typing import Any

import pytest

from fer_models.reporting.charts.ensemble import cost_chart, gains_chart
from fer_models.reporting.ensemble_panel import ensemble_panel


def score(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.02, "high": value + 0.02}


def candidate(name: str, method: str | None, accuracy: float, cost: int) -> dict[str, Any]:
    return {
        "model_id": f"{name}-id",
        "name": name,
        "method": method,
        "multiply_adds": cost,
        "cross_validated": {"accuracy": score(accuracy)},
    }


@pytest.fixture
def choice() -> dict[str, Any]:
    return {
        "metric": "accuracy",
        "chosen": "both-id",
        "candidates": [
            candidate("a", None, 0.70, 1_000_000),
            candidate("b", None, 0.65, 4_000_000),
            candidate("both", "soft_vote", 0.74, 5_000_000),
        ],
        "disagreements": [
            {
                "members": ["a-id", "b-id"],
                "disagreement": 0.25,
                "both_wrong": 0.125,
                "error_correlation": 0.375,
            }
        ],
        "member_gains": {
            "method": "soft_vote",
            "metric": "accuracy",
            "by_member": {"a-id": score(0.05), "b-id": score(0.01)},
        },
        "nested": {"accuracy": score(0.73)},
    }


def test_the_matrix_is_symmetric_and_names_the_errors(choice: dict[str, Any]) -> None:
    panel = ensemble_panel(choice)
    assert panel is not None
    assert panel.members == ("a", "b")
    assert panel.matrix[0][0].disagreement is None
    assert panel.matrix[0][1] == panel.matrix[1][0]
    assert panel.matrix[0][1].disagreement == 0.25
    assert panel.matrix[0][1].note == "both wrong 12.5 %, r = 0.38"


def test_gains_cost_and_the_score_of_the_choice(choice: dict[str, Any]) -> None:
    panel = ensemble_panel(choice)
    assert panel is not None
    assert [(one.name, one.value) for one in panel.gains] == [("a", 0.05), ("b", 0.01)]
    assert [one.name for one in panel.points if one.is_candidate] == ["both"]
    assert panel.nested == "accuracy 73.0 % (71.0 to 75.0 %)"


def test_the_charts_carry_the_figures_as_text(choice: dict[str, Any]) -> None:
    panel = ensemble_panel(choice)
    assert panel is not None
    svg = cost_chart(panel.points)
    assert "a 70.0 % at 1 M, b 65.0 % at 4 M, both 74.0 % at 5 M" in svg
    assert "a +5.00, b +1.00" in gains_chart(panel.gains, panel.gain_metric)


def test_an_older_choice_and_a_single_member_have_no_section(choice: dict[str, Any]) -> None:
    older = {key: value for key, value in choice.items() if key != "disagreements"}
    assert ensemble_panel(older) is None
    assert ensemble_panel({**choice, "candidates": choice["candidates"][:1]}) is None


def test_networks_of_unknown_cost_are_left_out_of_the_chart(choice: dict[str, Any]) -> None:
    choice["candidates"][1]["multiply_adds"] = None
    panel = ensemble_panel(choice)
    assert panel is not None
    assert [one.name for one in panel.points] == ["a", "both"]
