"""What the deployments of a work pool are made with."""

import pytest

from deployments.steps import run_parameters
from fer_models.errors import ConfigError

pytestmark = pytest.mark.usefixtures("prefect_server")


def test_deployments_carry_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERFLOW_RECIPE", "fer2013")
    monkeypatch.setenv("FERFLOW_SOURCES", "/data/fer2013.csv; /data/fer2013new.csv")
    monkeypatch.setenv("FERFLOW_STORE", "s3://bucket/prefix")
    parameters = run_parameters(needs_data=True)
    assert parameters["recipe"] == "fer2013"
    assert parameters["data"] == ["/data/fer2013.csv", "/data/fer2013new.csv"]
    assert parameters["store"] == "s3://bucket/prefix"


def test_several_sources_or_overrides_are_a_json_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERFLOW_SOURCES", ' ["/data/a;b.csv",\n "/data/[c].csv", ""]\n')
    monkeypatch.setenv("FERFLOW_OVERRIDES", '["seed=3", "tuning.enabled=false"]')
    parameters = run_parameters()
    assert parameters["data"] == ["/data/a;b.csv", "/data/[c].csv"]
    assert parameters["overrides"] == ["seed=3", "tuning.enabled=false"]


@pytest.mark.parametrize("name", ["FERFLOW_SOURCES", "FERFLOW_OVERRIDES"])
@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("['seed=1']", "check the quotes"),
        ('["seed=1"', "check the quotes"),
        ('["seed=1", 2]', "got 2 in it; put it in quotes"),
        ('[["seed=1"]]', "put it in quotes"),
    ],
)
def test_a_wrong_json_list_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, part: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as refused:
        run_parameters()
    assert str(refused.value).startswith(f"{name}, or the Prefect variable {name.lower()}: ")
    assert 'expected a JSON list of texts, such as ["a", "b"]' in str(refused.value)
    assert part in str(refused.value)


def test_or_what_prefect_s_variables_say(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.variables import Variable

    monkeypatch.delenv("FERFLOW_SOURCES", raising=False)
    Variable.set("ferflow_sources", ["/a.csv", "/b.csv"], overwrite=True)
    try:
        assert run_parameters()["data"] == ["/a.csv", "/b.csv"]
    finally:
        Variable.unset("ferflow_sources")


@pytest.mark.parametrize("missing", ["FERFLOW_SOURCES", "FERFLOW_STORE"])
def test_a_schedule_without_data_or_store_is_refused(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setenv("FERFLOW_SOURCES", "/data/fer2013.csv")
    monkeypatch.setenv("FERFLOW_STORE", "s3://bucket/prefix")
    monkeypatch.delenv(missing)
    with pytest.raises(ConfigError, match="set FERFLOW_SOURCES"):
        run_parameters(needs_data=True)


def test_house_keeping_needs_a_store_and_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FERFLOW_SOURCES", raising=False)
    monkeypatch.setenv("FERFLOW_STORE", "s3://bucket/prefix")
    assert run_parameters(needs_store=True)["store"] == "s3://bucket/prefix"
    monkeypatch.delenv("FERFLOW_STORE")
    with pytest.raises(ConfigError, match="set FERFLOW_STORE"):
        run_parameters(needs_store=True)


def test_a_wrong_recipe_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERFLOW_RECIPE", "fer2031")
    with pytest.raises(ConfigError, match="did you mean 'fer2013'"):
        run_parameters()
