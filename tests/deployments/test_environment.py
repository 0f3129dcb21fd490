"""The environment of ferflow's processes."""

import os
import urllib.request

import pytest

from deployments.environment import set_quiet_defaults
from deployments.server.process import require_answer
from fer_models.errors import ConfigError
from tests.deployments.processes import healthy_server

_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _PROXY_VARIABLES:
        for variable in (name, name.upper()):
            monkeypatch.setenv(variable, "")
            monkeypatch.delenv(variable)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_is_not_used_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "intranet.example, localhost")
    set_quiet_defaults()
    for host in ("127.0.0.1:4200", "localhost:4200", "intranet.example"):
        assert urllib.request.proxy_bypass(host)
    assert not urllib.request.proxy_bypass("example.org")
    assert os.environ["NO_PROXY"] == "intranet.example,localhost,127.0.0.1,::1"
    set_quiet_defaults()
    assert os.environ["no_proxy"] == "intranet.example,localhost,127.0.0.1,::1"


def test_without_a_proxy_nothing_is_set() -> None:
    set_quiet_defaults()
    assert "NO_PROXY" not in os.environ
    assert "no_proxy" not in os.environ


def test_a_wildcard_stays_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "*")
    set_quiet_defaults()
    assert os.environ["no_proxy"] == "*"


def test_a_dead_api_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    address = "http://me:secret@127.0.0.1:9/api"
    monkeypatch.setenv("PREFECT_API_URL", address)
    with pytest.raises(
        ConfigError, match=r"PREFECT_API_URL=http://\*\*\*@127.0.0.1:9/api"
    ) as error:
        require_answer(address)
    assert "secret" not in str(error.value)
    assert error.value.exit_code == 2
    monkeypatch.delenv("PREFECT_API_URL")
    with pytest.raises(ConfigError, match="from the active Prefect profile"):
        require_answer(address)


def test_an_api_with_a_password_in_its_address_answers() -> None:
    """The password is Prefect's matter; the health of a server needs none."""

    with healthy_server() as api:
        require_answer(api.replace("://", "://me:secret@"))
