"""Planted keys and passwords appear in nothing that a run writes, prints or stores."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from tests import object_store
from tests.deployments.processes import Workspace

PLANTED = "planted-0123456789abcdef"
WANDB_KEY = "f1a9" * 10
SECRETS = (PLANTED, WANDB_KEY, object_store.SECRET_KEY)
DEAD = "127.0.0.1:9"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A place with a secret wherever people keep one."""
    here = Workspace(tmp_path)
    home = tmp_path / "home"
    (tmp_path / "tmp").mkdir()
    home.mkdir()
    netrc = home / ".netrc"
    netrc.write_text(f"machine api.wandb.ai login user password {PLANTED}\n")
    netrc.chmod(0o600)
    here.environment |= {
        "HOME": str(home),
        "TMPDIR": str(tmp_path / "tmp"),
        "WANDB_MODE": "offline",
        "WANDB_API_KEY": WANDB_KEY,
        "PREFECT_SERVER_API_AUTH_STRING": f"me:{PLANTED}",
        "HTTPS_PROXY": f"http://me:{PLANTED}@{DEAD}",
        "SOME_SERVICE_TOKEN": PLANTED,
    }
    return here


@pytest.mark.slow
@pytest.mark.s3
@pytest.mark.timeout(1800)
def test_a_run_leaves_no_secret_anywhere(
    workspace: Workspace, s3_environment: dict[str, str], s3_store_url: str, tmp_path: Path
) -> None:
    workspace.environment |= s3_environment
    process = workspace.start(
        "run",
        "--recipe",
        "tiny.yaml",
        "--store",
        s3_store_url,
        "--verbose",
        "--set",
        "tracking.mode=offline",
    )
    out, err = process.communicate()
    assert process.returncode == 0, err[-3000:]
    store = ArtifactStore(StoreConfig(url=s3_store_url))
    contents = {key: store.read_bytes(key) for key in store.list_keys("")}
    assert any(key.endswith("report.html") for key in contents)
    printed = {"stdout": out.encode(), "stderr": err.encode()}
    places = {**contents, **printed, **dict(local_files(tmp_path))}
    assert any("prefect" in name for name in places)
    assert any("wandb" in name for name in places)
    for name, content in places.items():
        found = [secret[:12] for secret in SECRETS if secret.encode() in content]
        assert not found, f"{name}: {found}"


def local_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.name != ".netrc":
            yield str(file), file.read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        ("models", "list", "--store", f"s3://KEY:{PLANTED}@bucket/prefix"),
        ("run", "--store", f"s3://KEY:{PLANTED}/x@bucket"),
        ("run", "--data", f"s3://KEY:{PLANTED}@bucket/faces"),
        ("run", "--data", f"https://me:{PLANTED}@host/faces.zip"),
        ("predict", f"https://me:{PLANTED}@host/face.png"),
        ("run", "--set", f"store.url=s3://K:{PLANTED}@bucket"),
    ],
    ids=lambda arguments: " ".join(arguments)[:30],
)
def test_a_password_in_an_address_is_not_repeated(
    workspace: Workspace, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    process = workspace.start(*arguments)
    out, err = process.communicate()
    assert process.returncode == 2, err
    assert PLANTED not in out + err
    for name, content in local_files(tmp_path):
        assert PLANTED.encode() not in content, name


def test_the_endpoint_of_a_store_is_shown_without_its_password(workspace: Workspace) -> None:
    workspace.environment["AWS_ENDPOINT_URL"] = f"http://me:{PLANTED}@{DEAD}"
    process = workspace.start("models", "list", "--store", f"s3://bucket/{uuid.uuid4().hex}")
    _, err = process.communicate()
    assert process.returncode == 2, err
    assert f"AWS_ENDPOINT_URL=http://***@{DEAD}" in err
    assert PLANTED not in err
