"""Names of servers, who reaches them, and the Host header: the same for Prefect and the pages."""

import asyncio
import json
import socket
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from starlette.responses import PlainTextResponse

from deployments.cli import main
from deployments.loopback import (
    accepted_names,
    check_exposure,
    check_names,
    host_name,
    is_loopback,
    reachable,
    requested_name,
)
from deployments.pages.guard import Guard
from deployments.server.guard import HostGuard
from deployments.server.process import start_lasting_server
from fer_models.errors import ConfigError
from tests.deployments.processes import free_port


@pytest.mark.parametrize(
    "name",
    [
        *("bad name!", "", "http://fer.example.org", "fer.example.org:80", "fer.example.org/x"),
        *("-a.org", "a-.org", "a..org", "a.org\n", "::1", "[::x]", "m\u00fcnchen.de", "a" * 64),
    ],
)
def test_a_name_that_no_host_header_can_have_is_refused_with_all_others(name: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_names(["fer.example.org", name, "a b"])
    assert "expected host names such as fer.example.org" in refused.value.message
    assert f"got {name!r}, 'a b'; correct them" in refused.value.message


def test_host_names_and_addresses_are_accepted() -> None:
    check_names(["fer.example.org", "Fer-1.Local.", "my_service", "10.0.0.1", "[::1]", "xn--p1ai"])


@pytest.mark.parametrize("command", ["serve", "pages"])
def test_a_server_refuses_names_that_are_no_host_names_before_it_starts(
    command: str, tmp_path: Path
) -> None:
    arguments = [command, "--name", "bad name!", "--store", str(tmp_path / "store"), "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2, result.output
    assert "got 'bad name!'" in json.loads(result.stdout)["error"]
    assert "loading" not in result.stderr


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("[::1]:42", "[::1]"),
        ("[::1]", "[::1]"),
        ("A.b:1", "a.b"),
        ("a:b:1", "a:b"),
        ("x", "x"),
        ("x:", "x"),
        ("", ""),
    ],
)
def test_the_name_is_read_from_a_host_header(header: str, name: str) -> None:
    assert host_name(header) == name


def test_a_request_has_exactly_one_host() -> None:
    assert requested_name([(b"accept", b"*"), (b"Host", b"LOCALHOST:80")]) == "localhost"
    assert requested_name([(b"host", b"localhost"), (b"host", b"evil.example")]) == ""
    assert requested_name([]) == ""


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:", "127.0.0.1:4200", "[::1]:1", "evil.example", "", "x:", "::1"],
)
def test_both_servers_answer_to_the_same_names(host: str) -> None:
    async def send(app: object) -> int:
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return (await client.get("/", headers={"host": host})).status_code

    names = accepted_names("127.0.0.1")
    answer = PlainTextResponse("ok")
    answers = {
        asyncio.run(send(app)) for app in (HostGuard(answer, names), Guard(answer, names, None))
    }
    assert answers == {200 if host_name(host) in names else 421}


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.2", "localhost", "LocalHost", "::1", "[::1]"]
)
def test_every_spelling_of_loopback_needs_no_password(host: str) -> None:
    assert is_loopback(host)
    check_exposure(host, None, "a risk")


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.0.2.7", "fer.example.org", "localhost.evil"]
)
def test_other_addresses_need_a_password(host: str) -> None:
    with pytest.raises(ConfigError, match=rf"--host {host}: a risk; set a password with PREFECT_"):
        check_exposure(host, None, "a risk")
    check_exposure(host, "me:pw", "a risk")


def test_a_server_has_the_names_of_its_machine_and_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FERFLOW_HOSTS", " Fer.example , ,b.example")
    assert accepted_names("127.0.0.2") == (
        *("127.0.0.1", "localhost", "[::1]"),
        *("127.0.0.2", "fer.example", "b.example"),
    )
    assert {socket.gethostname().lower(), "[2001:db8::1]"} <= set(accepted_names("2001:db8::1"))
    monkeypatch.delenv("FERFLOW_HOSTS")
    assert accepted_names("localhost") == ("127.0.0.1", "localhost", "[::1]")


@pytest.mark.parametrize(
    ("host", "name"),
    [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::1", "[::1]"), ("a.example", "a.example")],
)
def test_this_machine_reaches_a_server_by(host: str, name: str) -> None:
    assert reachable(host) == name


@pytest.mark.parametrize("host", ["::1", "::"])
def test_the_server_binds_new_addresses(host: str, tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    port = free_port()
    server = start_lasting_server(tmp_path, host, port, accepted_names(host), verbose=False)
    try:
        address = server.api_url.removeprefix("http://").removesuffix(f":{port}/api")
        assert address == reachable(host)
        socket.create_connection((address.strip("[]"), port), timeout=5).close()
    finally:
        server.process.kill()
        server.stop()
