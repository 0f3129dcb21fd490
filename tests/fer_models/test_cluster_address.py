import socket
import time

import pytest

from fer_models.cluster_address import check_cluster, cluster_address, uses_cluster
from fer_models.errors import ConfigError


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv("FERFLOW_LOCAL", raising=False)


def test_a_cluster_is_used_if_its_address_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not uses_cluster()
    check_cluster()
    monkeypatch.setenv("RAY_ADDRESS", "local")
    assert not uses_cluster()
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.5:6379")
    assert cluster_address() == "10.0.0.5:6379"


def test_the_local_switch_ignores_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.5:6379")
    monkeypatch.setenv("FERFLOW_LOCAL", "1")
    assert not uses_cluster()
    check_cluster()
    monkeypatch.setenv("FERFLOW_LOCAL", "0")
    assert uses_cluster()


def test_an_address_that_answers_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}", "auto"):
            monkeypatch.setenv("RAY_ADDRESS", address)
            check_cluster()


def test_a_dead_address_is_refused_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    start = time.monotonic()
    with pytest.raises(ConfigError, match=rf"RAY_ADDRESS=127\.0\.0\.1:{port}.*FERFLOW_LOCAL=1"):
        check_cluster()
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("address", ["somewhere", "host:", ":6379", "host:port"])
def test_a_malformed_address_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(ConfigError, match="expected host:port"):
        check_cluster()
