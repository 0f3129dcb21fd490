import io

import numpy as np
from PIL import Image, ImageColor

from fer_models.campaign.page.chart import differences_png
from fer_models.campaign.page.comparison import measured_by
from fer_models.campaign.result import TrainingResult
from fer_models.plotting.figure import LIGHT_COLOURS
from fer_models.plotting.svg import series_colour
from tests.fer_models.campaign.page.tiny import PLAN, result, results

BASE = results("base", [700, 704, 702])


def chart(trained: list[TrainingResult]) -> bytes | None:
    return differences_png(PLAN, measured_by(PLAN, trained))


def coloured_rows(png: bytes) -> list[int]:
    """Rows of pixels in the colour of a difference that is beyond chance."""
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    colour = ImageColor.getrgb(LIGHT_COLOURS[series_colour(0)])
    return [int(row) for row in np.flatnonzero((pixels == colour).all(axis=2).any(axis=1))]


def test_only_differences_beyond_chance_have_a_colour() -> None:
    unclear = chart(BASE + results("new", [702, 705, 701]))
    assert unclear is not None
    assert not coloured_rows(unclear)
    clear = chart(BASE + results("new", [722, 725, 721]))
    assert clear is not None
    assert coloured_rows(clear)
    assert clear == chart(BASE + results("new", [722, 725, 721]))


def test_a_single_seed_has_no_colour() -> None:
    unclear = chart([*BASE, result("new", 0, 900)])
    assert unclear is not None
    assert not coloured_rows(unclear)


def test_the_best_is_on_top() -> None:
    worse, better = results("new", [650, 653, 652]), results("later", [703, 704, 702])
    lower = chart(BASE + worse + better)
    upper = chart(BASE + results("new", [750, 753, 752]) + better)
    assert lower is not None
    assert upper is not None
    assert min(coloured_rows(lower)) > max(coloured_rows(upper))


def test_without_a_baseline_there_is_no_chart() -> None:
    assert chart(BASE) is None
    assert chart([result("new", 0, 700)]) is None
