"""Fixtures and settings shared by all tests."""

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from deployments.environment import set_quiet_defaults
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from tests import object_store

_OTHER_AWS_VARIABLES = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_CONFIG_FILE")

# A slow machine must not fail a property test: no deadline per example, no limit on generation.
hypothesis_settings.register_profile(
    "ferflow", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("ferflow")

set_quiet_defaults()
os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
os.environ["WANDB_MODE"] = "disabled"
os.environ.pop("RAY_ADDRESS", None)  # tests must not use the cluster of whoever runs them
# Background processes of a shell script ignore SIGINT, and so would the commands under test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order files for several workers: those that need the Prefect server last, then by size.

    A server that waits takes a tenth of a core, until the worker's last test. Small files at the
    end let the workers finish together.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    ordered = sorted(files.values(), key=lambda file: (_needs_server(file), -len(file)))
    items[:] = [item for file in ordered for item in file]


def _needs_server(items: list[pytest.Item]) -> bool:
    return any("prefect_server" in getattr(item, "fixturenames", ()) for item in items)


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A temporary Prefect server with its own database, for the whole session."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=180):
        yield


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """An empty artifact store in a temporary folder."""
    return ArtifactStore(StoreConfig(url=str(tmp_path / "store")))


@pytest.fixture(scope="session")
def s3_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start a real S3-compatible store for the session; its environment variables."""
    if not object_store.is_available():
        pytest.skip("OpenStack Swift is not installed (Linux only; extra s3test)")
    folder = tmp_path_factory.mktemp("swift")
    with object_store.running_object_store(folder) as environment:
        object_store.create_bucket(environment)
        yield environment


@pytest.fixture
def s3_store_url(
    s3_environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The URL of an empty store in a bucket; the environment variables point to its server."""
    from s3fs import S3FileSystem

    for name in _OTHER_AWS_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in s3_environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # s3fs caches its clients together with their credentials.
    S3FileSystem.clear_instance_cache()
    yield f"s3://{object_store.BUCKET}/{uuid.uuid4().hex}"
    S3FileSystem.clear_instance_cache()
