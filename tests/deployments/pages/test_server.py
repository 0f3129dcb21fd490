"""The page server over real HTTP, for stores in a folder and in a bucket."""

import base64
import http.client
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from deployments.pages.server import PageServer
from fer_models.errors import ConfigError, StoreError
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ExplorationRef, ModelRef, RunRef, ValidationRef
from fer_models.storage.store import ArtifactStore

PAGE = b"<!doctype html><title>Report</title>"


class Answer:
    """An HTTP answer: status, headers and body."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        self.text = self.body.decode(errors="replace")


def get(url: str, path: str, method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        connection.request(
            method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        return Answer(connection.getresponse())
    finally:
        connection.close()


def fill(store: ArtifactStore) -> None:
    store.put(
        RunRef,
        "run1",
        {"report.html": PAGE, "MODEL_CARD.md": b"# Card", "lineage.json": b'{"run": "run1"}'},
        {"name": "demo <b>", "promoted": True, "accuracy": 0.71234567, "snapshot_id": "s" * 64},
        report_url="",
    )
    verdict: dict[str, Any] = {"passed": False, "num_errors": 2, "num_warnings": 0}
    docs = {"results.json": b"[]", "data_docs/index.html": b"<p>docs</p>"}
    store.put(ValidationRef, "val1", docs, verdict, **verdict)
    files = {"weights.safetensors": b"\0" * 9, "curve.csv": b"epoch\n1\n", "plot.png": b"\x89PNG"}
    store.put(ModelRef, "cnn-1", files, {"note": None}, name="cnn")


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def any_store(request: pytest.FixtureRequest) -> ArtifactStore:
    if request.param == "folder":
        return request.getfixturevalue("store")  # type: ignore[no-any-return]
    return ArtifactStore(StoreConfig(url=request.getfixturevalue("s3_store_url")))


@pytest.fixture
def url(any_store: ArtifactStore) -> Iterator[str]:
    fill(any_store)
    with PageServer(any_store.config, port=0) as server:
        yield server.url


def test_files_are_served_with_their_types_and_safe_headers(url: str) -> None:
    report = get(url, "/runs/run1/report.html")
    assert (report.status, report.body) == (200, PAGE)
    assert report.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "immutable" in report.headers["Cache-Control"]
    assert report.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in report.headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in report.headers
    tag = report.headers["ETag"]
    assert get(url, "/runs/run1/report.html", If_None_Match=tag).status == 304
    head = get(url, "/runs/run1/report.html", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(PAGE))
    types = {
        "/runs/run1/lineage.json": "application/json",
        "/runs/run1/artifact.json": "application/json",
        "/runs/run1/MODEL_CARD.md": "text/plain; charset=utf-8",
        "/validations/val1/data_docs/index.html": "text/html; charset=utf-8",
        "/models/cnn-1/curve.csv": "text/csv; charset=utf-8",
        "/models/cnn-1/plot.png": "image/png",
    }
    for path, content_type in types.items():
        answer = get(url, path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, content_type), path


def test_artifacts_lead_to_their_page_or_to_a_list_of_their_files(url: str) -> None:
    for path in ("/runs/run1", "/runs/run1/"):
        assert get(url, path).headers["Location"] == "/runs/run1/report.html"
    assert get(url, "/models").headers["Location"] == "/models/"
    listed = get(url, "/models/cnn-1/").text
    assert 'href="/models/cnn-1/curve.csv"' in listed
    assert 'href="/models/cnn-1/weights.safetensors"' not in listed
    assert 'href="/models/cnn-1/"' in get(url, "/models/").text


def test_the_front_page_shows_what_there_is_and_escapes_it(url: str) -> None:
    page = get(url, "/")
    assert page.headers["Cache-Control"] == "no-cache"
    assert 'href="/runs/run1/"' in page.text
    assert f"demo &lt;b&gt;, snapshot {'s' * 12}, accuracy 71.2\u202f%" in page.text
    assert "promoted" in page.text
    assert "2 errors" in page.text
    assert "rejected" in page.text


def test_anything_else_is_not_found(store: ArtifactStore) -> None:
    fill(store)
    for key in ("latest/report.json", "secret.json"):
        store.write_bytes(key, b"hidden")
    paths = (
        "/runs/absent/report.html",
        "/runs/run1/absent.html",
        "/runs/../latest/report.json",
        "/runs/run1/../../latest/report.json",
        "/runs/run1/..%2f..%2fsecret.json",
        "/runs/%2e%2e/artifact.json",
        "/runs/%00/report.html",
        "/runs//report.html",
        "/latest/",
        "/latest/report.json",
        "/results/key/file.json",
        "/runs/run1//etc/passwd",
    )
    with PageServer(store.config, port=0) as server:
        for path in paths:
            answer = get(server.url, path)
            assert answer.status == 404, path
            assert "hidden" not in answer.text, path
        weights = get(server.url, "/models/cnn-1/weights.safetensors")
    assert weights.status == 404
    assert "Weights and datasets are not served" in weights.text


def test_an_artifact_that_names_files_outside_the_store_does_not_serve_them(
    store: ArtifactStore, tmp_path: Path
) -> None:
    (tmp_path / "secret.json").write_bytes(b"secret")
    outside = store.put(RunRef, "evil", {"report.html": PAGE}, {}, report_url="")
    description = json.loads(store.read_bytes("runs/evil/artifact.json"))
    entry = description["files"]["report.html"]
    for number, key in enumerate(("../secret.json", str(tmp_path / "secret.json"))):
        sha = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
        description["files"][f"{number}.json"] = entry | {"key": key, "size": 6, "sha256": sha}
    store.write_bytes("runs/evil/artifact.json", json.dumps(description).encode())
    with pytest.raises(StoreError, match="expected an artifact description"):
        store.read_file(outside, "0.json")
    with PageServer(store.config, port=0) as server:
        for number in range(2):
            answer = get(server.url, f"/runs/evil/{number}.json")
            assert answer.status == 503
            assert b"secret" not in answer.body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_only_get_and_head_are_allowed(store: ArtifactStore, method: str) -> None:
    with PageServer(store.config, port=0) as server:
        answer = get(server.url, "/", method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"


def test_only_known_host_names_are_answered(store: ArtifactStore) -> None:
    with PageServer(store.config, port=0, names=["fer.example.org"]) as server:
        port = server.url.rpartition(":")[2]
        assert server.url == f"http://fer.example.org:{port}"
        local = f"http://127.0.0.1:{port}"
        for known in ("localhost:1", "127.0.0.1", "[::1]:80", "FER.example.org"):
            assert get(local, "/", Host=known).status == 200, known
        for unknown in ("attacker.example", "127.0.0.1.attacker.example", "localhost@x", "", "::1"):
            assert get(local, "/", Host=unknown).status == 421, unknown


def test_the_names_of_the_environment_are_answered(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FERFLOW_HOSTS", "fer.example.org, b.example")
    with PageServer(store.config, host="0.0.0.0", port=0, auth="me:pw") as server:
        port = server.url.rpartition(":")[2]
        assert server.url == f"http://fer.example.org:{port}"  # the links of others
        local = f"http://127.0.0.1:{port}"
        for known in ("fer.example.org", f"b.example:{port}", socket.gethostname(), "localhost:"):
            answer = get(local, "/", Host=known, Authorization=_basic("me:pw"))
            assert answer.status == 200, known
        refused = get(local, "/", Host="c.example", Authorization=_basic("me:pw"))
        assert refused.status == 421
        assert "FERFLOW_HOSTS" in refused.text
    with PageServer(store.config, port=0) as server:
        assert server.url.startswith("http://127.0.0.1:")


def _basic(auth: str) -> str:
    return "Basic " + base64.b64encode(auth.encode()).decode()


def test_a_password_is_asked_for(store: ArtifactStore) -> None:
    with PageServer(store.config, host="0.0.0.0", port=0, auth="me:geheim:ü") as server:
        assert server.url.startswith("http://127.0.0.1:")
        refused = get(server.url, "/")
        assert refused.status == 401
        assert refused.headers["WWW-Authenticate"].startswith("Basic realm=")
        assert "geheim" not in refused.text
        assert get(server.url, "/", Authorization=_basic("me:geheim:ü")).status == 200
        for wrong in (
            _basic("me:geheim"),
            _basic(""),
            "Basic ###",
            "Bearer me:geheim:ü".encode().decode("latin-1"),
        ):
            assert get(server.url, "/", Authorization=wrong).status == 401


@pytest.mark.parametrize(
    ("host", "auth", "message"),
    [
        ("0.0.0.0", None, "set a password with PREFECT_SERVER_API_AUTH_STRING=user:password"),
        ("fer.example.org", None, "other machines could read the pages; set a password"),
        ("127.0.0.1", "no-colon", "expected user:password"),
        ("127.0.0.1", "me:", "expected user:password"),
    ],
)
def test_an_open_server_beyond_this_machine_is_refused(
    store: ArtifactStore, host: str, auth: str | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        PageServer(store.config, host=host, port=0, auth=auth)


def test_a_taken_port_is_reported_and_a_stopped_server_frees_it(store: ArtifactStore) -> None:
    with PageServer(store.config, port=0) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(ConfigError, match=f"can't use port {port}"):
            PageServer(store.config, port=port).start()
    with PageServer(store.config, port=port) as again:
        assert get(again.url, "/").status == 200
    again.stop()


def test_the_newest_artifact_is_listed_first(store: ArtifactStore) -> None:
    import os

    for number, name in enumerate(("old", "new", "middle")):
        store.put(ExplorationRef, name, {}, {}, report_url="")
        time_s = 1_000_000 * (number if name != "new" else 9)
        os.utime(store.local_root / f"explorations/{name}/artifact.json", (time_s, time_s))
    with PageServer(store.config, port=0) as server:
        page = get(server.url, "/explorations/").text
    order = [page.index(f"/explorations/{name}/") for name in ("new", "middle", "old")]
    assert order == sorted(order)


def test_a_damaged_file_or_store_is_reported_without_details(
    store: ArtifactStore, caplog: pytest.LogCaptureFixture
) -> None:
    fill(store)
    (store.local_root / "runs/run1/report.html").write_bytes(b"other")
    (store.local_root / "validations/val1/artifact.json").write_bytes(b"{")
    with caplog.at_level(logging.WARNING), PageServer(store.config, port=0) as server:
        answer = get(server.url, "/runs/run1/report.html")
        assert answer.status == 503
        assert str(store.local_root) not in answer.text
        assert "damaged" in get(server.url, "/").text
    assert "damaged: expected" in caplog.text


@pytest.mark.slow
def test_a_store_that_does_not_answer_is_a_plain_503(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "very-secret-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-key")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with PageServer(StoreConfig(url="s3://bucket/prefix"), port=0) as server:
        answer = get(server.url, "/")
    assert answer.status == 503
    assert "can&#39;t be read now" in answer.text or "can't be read now" in answer.text
    assert "127.0.0.1:9" not in answer.text
    assert "secret" not in answer.text


def test_answers_are_not_delayed_by_the_socket(store: ArtifactStore) -> None:
    # asyncio sets TCP_NODELAY on connections only if the listener names its protocol.
    with PageServer(store.config, port=0)._bind() as listener:
        assert listener.proto == socket.IPPROTO_TCP
