"""All figures of an evaluation reach the tables, with n and interval."""

import pytest

from fer_models.dataset.snapshot import open_snapshot
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import measure_model
from fer_models.evaluation.results import ModelMetrics
from fer_models.reporting.figures import figure_table, slice_cards
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> ModelMetrics:
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("figures"))))
    snapshot = build_snapshot(store)
    model = build_model(store, snapshot)
    return measure_model(store, open_snapshot(store, snapshot), model, EvaluationConfig())


def test_every_headline_of_every_set_is_in_the_table(metrics: ModelMetrics) -> None:
    table = figure_table(metrics)
    assert [n for _, n, _ in table.sets] == [one.n for one in metrics.splits.values()]
    cells = dict(table.rows)
    accuracy = cells["accuracy"]
    for cell, scores in zip(accuracy, metrics.splits.values(), strict=True):
        assert cell is not None
        assert cell.value.startswith(f"{100 * scores.accuracy:.1f}")
        assert cell.interval.startswith(f"{100 * scores.accuracy_low:.1f} ")
    expected = {one.name for scores in metrics.splits.values() for one in scores.headlines()}
    assert len(cells) == len(expected)
    assert cells["macro F1"][0].value == f"{metrics.splits['validation'].macro_f1:.3f}"


def test_the_bars_of_all_slices_share_a_scale_that_holds_every_interval(
    metrics: ModelMetrics,
) -> None:
    cards = slice_cards(metrics)
    assert [card.title for card in cards] == ["class", "brightness", "contrast", "sharpness"]
    assert len({card.floor for card in cards}) == 1
    lows = [one.low for card in cards for one in card.slices]
    assert cards[0].floor <= min(lows) < cards[0].floor + 0.1
    assert sum(one.n for one in cards[1].slices) == metrics.splits["test"].n


def test_an_evaluation_without_slices_has_no_cards(metrics: ModelMetrics) -> None:
    assert slice_cards(metrics.model_copy(update={"slices": ()})) == []
