"""The S3 backend, against a real server that verifies signatures."""

import os
import pickle
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from fer_models.errors import StoreError
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.s3 import backend, connection
from fer_models.storage.store import ArtifactStore

# The time-out is for clients that wait without a limit: by default they do for many minutes.
pytestmark = [pytest.mark.s3, pytest.mark.timeout(300)]


@pytest.fixture
def s3_store(s3_store_url: str) -> ArtifactStore:
    return ArtifactStore(StoreConfig(url=s3_store_url))


def _error_message(url: str) -> str:
    """The error message of a store, which must be the same for every operation."""
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()
    store = ArtifactStore(StoreConfig(url=url))
    ref = SnapshotRef(id="x", url="")
    messages = set()
    for operation in (lambda: store.exists(ref), store.check_writable):
        with pytest.raises(StoreError) as caught:
            operation()
        messages.add(str(caught.value))
    assert len(messages) == 1
    return messages.pop()


def test_uploads_of_a_store_whose_prefix_begins_alike_are_not_touched(s3_store_url: str) -> None:
    ours, other = (
        ArtifactStore(StoreConfig(url=url)) for url in (s3_store_url, f"{s3_store_url}-backup")
    )
    bucket, _, prefix = other.url.removeprefix("s3://").partition("/")
    fs = other.backend._connection.fs  # type: ignore[attr-defined]
    fs.call_s3("create_multipart_upload", Bucket=bucket, Key=f"{prefix}/models/half-1/weights")
    assert ours.backend.abandoned() == {}
    [upload] = other.backend.abandoned()
    other.backend.remove_abandoned(upload)


def test_a_missing_bucket_is_reported_and_not_created(s3_store_url: str) -> None:
    for _ in range(2):
        message = _error_message("s3://no-such-bucket/prefix")
        assert "bucket 'no-such-bucket' does not exist at http://127.0.0.1" in message
        assert "aws s3 mb s3://no-such-bucket" in message


@pytest.mark.parametrize(
    ("variable", "value"),
    [("AWS_SECRET_ACCESS_KEY", "wrong"), ("AWS_ACCESS_KEY_ID", "somebody")],
)
def test_wrong_credentials_are_reported(
    s3_store_url: str, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in _error_message(s3_store_url)


def test_missing_credentials_are_reported(
    s3_store_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "absent"))
    assert "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in _error_message(s3_store_url)


def test_a_dead_endpoint_is_reported_soon(
    s3_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert f"no answer from {endpoint}; start the object store" in _error_message(s3_store_url)


def test_an_endpoint_that_never_answers_is_reported_soon(
    s3_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_FIRST_REQUEST_LIMIT_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        assert f"no answer from {endpoint}; start the object store" in _error_message(s3_store_url)


def test_an_endpoint_without_a_scheme_is_reported(
    s3_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "127.0.0.1:9000")
    assert "expected AWS_ENDPOINT_URL like http://" in _error_message(s3_store_url)


def test_an_endpoint_with_a_password_is_refused_without_repeating_it(
    s3_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://me:hunter2@{address}")
    message = _error_message(s3_store_url)
    assert f"AWS_ENDPOINT_URL=http://***@{address} has a user or password" in message
    assert "hunter2" not in message


def test_https_to_a_server_without_it_is_explained(
    s3_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = os.environ["AWS_ENDPOINT_URL"].replace("http://", "https://")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert "try AWS_ENDPOINT_URL=http://127.0.0.1" in _error_message(s3_store_url)


def test_http_to_a_server_with_tls_is_explained(
    s3_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tls_server() as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        assert f"try AWS_ENDPOINT_URL=https://127.0.0.1:{port}" in _error_message(s3_store_url)


@contextmanager
def tls_server() -> Iterator[int]:
    """A server that only speaks TLS: it answers plain text with an alert and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError), client:
                context.wrap_socket(client, server_side=True)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def test_a_large_file_round_trips_as_a_multipart_upload(
    s3_store: ArtifactStore, tmp_path: Path
) -> None:
    large = tmp_path / "weights"
    large.write_bytes(os.urandom(2 * backend._PART_BYTES + 12345))
    ref = s3_store.put(ModelRef, "m", {"weights": large}, {}, name="m")
    assert s3_store.fetch(ref, "weights").read_bytes() == large.read_bytes()


def test_a_download_is_cached_and_a_damaged_copy_is_replaced(s3_store: ArtifactStore) -> None:
    ref = s3_store.put(SnapshotRef, "x", {"a": b"hello"}, {})
    copy = s3_store.fetch(ref, "a")
    modified = copy.stat().st_mtime_ns
    assert s3_store.fetch(ref, "a").stat().st_mtime_ns == modified

    copy.write_bytes(b"hullo")
    assert s3_store.fetch(ref, "a").read_bytes() == b"hello"
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_an_unusable_cache_folder_is_reported(
    s3_store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = s3_store.put(SnapshotRef, "x", {"a": b"hello"}, {})
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(StoreError, match=r"can't cache downloads: .* set XDG_CACHE_HOME"):
        s3_store.fetch(ref, "a")


def test_threads_can_share_a_store(s3_store: ArtifactStore) -> None:
    def use(number: int) -> bytes:
        ref = s3_store.put(SnapshotRef, f"x{number}", {"a": f"{number}".encode()}, {})
        return s3_store.read_file(ref, "a")

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(use, range(12))) == [f"{n}".encode() for n in range(12)]
    assert len(s3_store.list_ids(SnapshotRef)) == 12


def test_racing_creators_leave_one_complete_object(s3_store: ArtifactStore) -> None:
    bodies = [f"racer {number}".encode() * 50 for number in range(4)]
    barrier = threading.Barrier(len(bodies))
    s3_store.has("connect first")

    def race(body: bytes) -> bool:
        barrier.wait()
        return s3_store.create_bytes("log/1", body)

    with ThreadPoolExecutor(len(bodies)) as pool:
        won = list(pool.map(race, bodies))
    # This server lets several creators win; the object is always one of theirs.
    assert any(won)
    assert s3_store.read_bytes("log/1") in [
        body for body, mine in zip(bodies, won, strict=True) if mine
    ]


def test_a_process_that_used_the_store_exits_without_warnings(s3_store: ArtifactStore) -> None:
    program = (
        "import sys\n"
        "from fer_models.storage.config import StoreConfig\n"
        "from fer_models.storage.store import ArtifactStore\n"
        "store = ArtifactStore(StoreConfig(url=sys.argv[1]))\n"
        "store.write_bytes('k', b'1')\n"
        "assert store.read_bytes('k') == b'1'\n"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "always::ResourceWarning", "-c", program, s3_store.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_files_written_with_pyarrow_are_in_the_store(s3_store: ArtifactStore) -> None:
    path, filesystem = s3_store.arrow_folder("training")
    elsewhere = pickle.loads(pickle.dumps(filesystem))  # as on the nodes of a cluster
    elsewhere.create_dir(f"{path}/key")
    with elsewhere.open_output_stream(f"{path}/key/last.ckpt") as stream:
        stream.write(b"state")
    assert s3_store.read_bytes("training/key/last.ckpt") == b"state"
    for _ in range(2):
        s3_store.remove_folder("training/key")
        assert s3_store.list_keys("training/key") == []
