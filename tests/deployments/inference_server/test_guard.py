"""Who may use the server: known host names and origins, and beyond loopback the token."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from deployments.inference_server.models.service import InferenceService
from deployments.inference_server.server import InferenceServer
from deployments.inference_server.settings import (
    TOKEN_VARIABLE,
    ServingConfig,
    check_reach,
    read_token,
)
from fer_models.errors import ConfigError
from fer_models.storage.store import ArtifactStore
from tests.deployments.inference_server.conftest import TOKEN, client_of, png

_FILES = {"pictures": ("a.png", png())}


def test_a_foreign_host_name_or_origin_is_refused(client: TestClient) -> None:
    answer = client.get("/", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (421, "unknown_host")
    answer = client.post("/predict", files=_FILES, headers={"Origin": "http://evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")
    own = {"Origin": "http://127.0.0.1:4202"}
    assert client.post("/predict?faces=crop", files=_FILES, headers=own).status_code == 200


@pytest.mark.parametrize("given", [None, "Bearer wrong", f"Basic {TOKEN}", "Bearer ä"])
def test_with_a_token_everything_but_the_page_and_the_probes_asks_for_it(
    service: InferenceService, given: str | None
) -> None:
    client = client_of(service, TOKEN)
    headers = {} if given is None else {"Authorization": given.encode()}
    for path in ("/model", "/health", "/metrics", "/openapi.json", "/model/card", "/nowhere"):
        answer = client.get(path, headers=headers)
        assert answer.status_code == 401, path
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert TOKEN not in answer.text
    assert client.post("/predict", files=_FILES, headers=headers).status_code == 401
    for path in ("/", "/page/page.css", "/health/live", "/health/ready"):
        assert client.get(path, headers=headers).status_code == 200, path


def test_the_token_opens_everything(service: InferenceService) -> None:
    client = client_of(service, TOKEN)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert client.post("/predict?faces=crop", files=_FILES, headers=headers).status_code == 200
    assert client.get("/metrics", headers=headers).status_code == 200


def test_methods_that_clients_invent_are_counted_together(champions: ArtifactStore) -> None:
    with InferenceService("small-0", champions, ServingConfig()) as service:
        client = client_of(service, TOKEN)
        for method in ("GET", "BREW", "WHEN"):
            assert client.request(method, "/predict").status_code == 401
        text = service.metrics.text().decode()
    counted = [line for line in text.splitlines() if line.startswith("ferflow_requests_total")]
    path = 'path="/predict",status="401"'
    assert counted == [
        f'ferflow_requests_total{{method="GET",{path}}} 1.0',
        f'ferflow_requests_total{{method="other",{path}}} 2.0',
    ]


def test_a_server_for_other_machines_needs_a_token(
    service: InferenceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError) as refused:
        InferenceServer(service, host="0.0.0.0", port=0)
    assert f"set a token with {TOKEN_VARIABLE}=..." in str(refused.value)
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    check_reach("0.0.0.0", read_token(None))
    check_reach("127.0.0.1", None)


def test_the_token_comes_from_a_file_or_the_environment_and_must_be_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    assert read_token(None) is None
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert read_token(file) == TOKEN
    with pytest.raises(ConfigError, match="can't read it"):
        read_token(tmp_path / "missing")
    monkeypatch.setenv(TOKEN_VARIABLE, "short")
    with pytest.raises(ConfigError, match="got 5 characters; make one with") as refused:
        read_token(None)
    assert "short" not in str(refused.value)


def test_every_answer_forbids_inline_script_and_foreign_content(client: TestClient) -> None:
    for path in ("/", "/page/page.js", "/health", "/nowhere"):
        policy = client.get(path).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
    assert client.get("/page/../settings.py").status_code == 404
    assert client.get("/page/%2e%2e%2fsettings.py").status_code == 404
