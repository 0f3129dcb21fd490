import datetime as dt

import pytest

from flows.entry.names import data_label, is_generated, run_title, tags_of
from flows.pipeline_config import PipelineConfig


@pytest.mark.parametrize(
    "name",
    ["significant-poodle", "xi5-mordan-sector", "tau-miri", "mu3-rana", "Sleek-Otter", "Small-Ox"],
)
def test_names_that_prefect_makes_up_are_recognised(name: str) -> None:
    assert is_generated(name)


@pytest.mark.parametrize(
    "name", ["wider network", "run 7", "fer2013", "a-b-c", "Try-again", "Small-batch"]
)
def test_names_that_people_give_are_kept(name: str) -> None:
    assert not is_generated(name)


def test_a_title_tells_recipe_data_and_date() -> None:
    now = dt.datetime(2026, 11, 28, 5, 12, tzinfo=dt.UTC)
    assert run_title("run-pipeline", "demo", "synthetic", now) == "demo · synthetic · 28 Nov 05:12"
    assert run_title("retrain", "demo", "x.csv", now).startswith("retrain demo · x.csv")


def test_a_data_label_has_the_file_names_and_stays_short() -> None:
    assert data_label(("/data/a.csv", "s3://bucket/b.csv", "faces/")) == "a.csv+b.csv+faces"
    assert len(data_label(tuple(f"/data/part-{n}.csv" for n in range(20)))) == 40


def test_tags_tell_recipe_data_and_trigger() -> None:
    config = PipelineConfig(name="ours")
    assert tags_of("run-pipeline", config, scheduled=False) == ["ours", "synthetic", "manual"]
    scheduled = tags_of("retrain", config, scheduled=True)
    assert scheduled == ["ours", "synthetic", "retrain", "scheduled"]
