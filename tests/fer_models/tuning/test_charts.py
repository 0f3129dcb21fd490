"""The figures of a search: which ones are rendered, their content, and edge cases."""

import io
from typing import Any

import pytest
from PIL import Image

from fer_models.tuning.charts import MAX_CURVES, lineage, search_charts
from fer_models.tuning.config import SearchDimension
from fer_models.tuning.space import Setting

RATE = SearchDimension(field="training.learning_rate", kind="log_uniform", low=1e-3, high=2e-2)
SMOOTHING = SearchDimension(
    field="training.label_smoothing", kind="choice", choices=(0.0, 0.05, 0.1)
)
FLIP = SearchDimension(field="training.augment.flip", kind="choice", choices=(True, False))
SPACE = (RATE, SMOOTHING, FLIP)


def setting(rate: float = 5e-3, smoothing: float = 0.05, flip: bool = True) -> Setting:
    return {RATE.field: rate, SMOOTHING.field: smoothing, FLIP.field: flip}


def trial(number: int, *curve: float, **changes: Any) -> dict[str, Any]:
    return {
        "trial": number,
        "setting": setting(),
        "epochs": len(curve),
        "validation_accuracy": max(curve),
        "validation_loss": 1.0,
        "stopped_early": len(curve) < 3,
        "curve": list(curve),
        "schedule": [],
        **changes,
    }


def step(epoch: int, copied_from: int | None = None, rate: float = 5e-3) -> dict[str, Any]:
    return {"epoch": epoch, "copied_from": copied_from, "setting": setting(rate)}


POPULATION = [
    trial(0, 0.2, 0.3, 0.4, schedule=[step(1)]),
    trial(1, 0.1, 0.3, 0.5, schedule=[step(1), step(2, 0, 6e-3), step(3, 2, 4e-3)]),
    trial(2, 0.1, 0.2, 0.3, schedule=[step(1, rate=2e-3), step(2, 0, 3e-3)]),
]


def test_a_search_has_a_progress_and_a_settings_figure() -> None:
    figures = search_charts([trial(0, 0.2, 0.4, 0.3), trial(1, 0.1)], SPACE)
    assert [figure.file for figure in figures] == ["tuning_progress.png", "tuning_settings.png"]
    progress, settings = figures
    for text in ("all trials", "best so far", "stopped early", "validation accuracy"):
        assert text in progress.svg
    for text in (RATE.field, SMOOTHING.field, "0.05", "True", "False"):
        assert text in settings.svg
    for figure in figures:
        assert Image.open(io.BytesIO(figure.png)).width > 1000
        assert len(figure.png) < 150_000
        assert "#0102" not in figure.svg


def test_a_population_has_a_figure_of_settings_by_epoch() -> None:
    names = [figure.name for figure in search_charts(POPULATION, SPACE)]
    assert names == ["tuning_progress", "tuning_settings", "tuning_schedule"]


def test_figures_of_the_same_search_are_identical() -> None:
    first, again = (search_charts(POPULATION, SPACE) for _ in range(2))
    assert first == again


@pytest.mark.parametrize(
    "trials",
    [
        [trial(0, 0.2)],
        [trial(0, 0.2, setting={})],
        [{k: v for k, v in trial(0, 0.2).items() if k not in {"curve", "schedule"}}],
        [trial(n, 0.1 + n / 1000, 0.2) for n in range(2 * MAX_CURVES)],
    ],
    ids=["one trial", "empty space", "without curves", "many trials"],
)
def test_edge_cases_can_be_rendered(trials: list[dict[str, Any]]) -> None:
    names = {figure.name for figure in search_charts(trials, SPACE)}
    assert ("tuning_settings" in names) == bool(trials[0]["setting"])
    assert ("tuning_progress" in names) == ("curve" in trials[0])


def test_the_lineage_follows_the_weights_back() -> None:
    history = lineage(POPULATION, 1)
    assert [(e["epoch"], e["trial"], e["copied_from"]) for e in history] == [
        (1, 0, None),
        (2, 2, 0),
        (3, 1, 2),
    ]
    rates = [e["setting"][RATE.field] for e in history]
    assert rates == [5e-3, 3e-3, 4e-3]


def test_a_lineage_ends_at_a_trial_that_failed_later() -> None:
    history = lineage([one for one in POPULATION if one["trial"] != 2], 1)
    assert [entry["epoch"] for entry in history] == [3]
