"""A short soak: a killed run, and a killed collection beside another run; nothing is lost."""

import random
from collections.abc import Callable

import pytest

from tests.soak.figures import Episode, Figures
from tests.soak.scenarios import Reference, killed_collection, killed_run, two_at_once

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.mark.parametrize("scenario", [killed_run, killed_collection, two_at_once])
def test_nothing_is_lost(scenario: Callable[[random.Random, Reference], Episode]) -> None:
    with Reference() as reference:
        episode = scenario(random.Random(1), reference)
    assert episode.kills
    assert episode.problems == []


def test_the_figures_count_kills_by_kind_and_place() -> None:
    episode = Episode("run", 0, kills=["SIGKILL run at train", "SIGINT run at train"], attempts=3)
    episode.require(False, "lost")
    summary = Figures(1.0, 0, "a machine", [episode]).summary()
    assert summary["kills"] == {"SIGINT run": 1, "SIGKILL run": 1}
    assert summary["killed_at"] == {"train": 2}
    assert summary["problems"] == ["run (seed 0): lost"]
