"""A key is found where wandb finds it."""

from pathlib import Path

import pytest
from wandb.sdk.lib.wbauth import authenticate_session

from fer_models.tracking.credentials import key_source, server_host

KEY = "0123456789" * 4


def wandb_finds_one(url: str = "https://api.wandb.ai") -> bool:
    """What wandb itself says; its settings files are read once a process, and not here."""
    found = authenticate_session(host=url, source="test", prompt=False, update_session=False)
    return found is not None


def netrc(path: Path, host: str = "api.wandb.ai", password: str = KEY) -> Path:
    path.write_text(f"machine example.org\n  login x\n  password y\nmachine {host}\n")
    with path.open("a") as file:
        file.write(f"  login user\n  password {password}\n" if password else "  login user\n")
    path.chmod(0o600)
    return path


def settings(path: Path, **values: str) -> None:
    path.parent.mkdir(parents=True)
    lines = [f"{name} = {value}" for name, value in values.items()]
    path.write_text("\n".join(["[default]", *lines]))


def test_without_anything_there_is_no_key() -> None:
    assert key_source() == ""
    assert not wandb_finds_one()
    assert server_host() == "api.wandb.ai"


@pytest.mark.parametrize("variable", ["WANDB_API_KEY"])
def test_the_variable_is_found(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, KEY)
    assert key_source() == variable
    assert wandb_finds_one()
    monkeypatch.setenv(variable, "")
    assert key_source() == ""
    assert not wandb_finds_one()


@pytest.mark.parametrize("name", [".netrc", "_netrc"])
def test_the_netrc_file_at_home_is_found(home: Path, name: str) -> None:
    path = netrc(home / name)
    assert key_source() == str(path)
    assert wandb_finds_one()


def test_netrc_names_another_file_which_replaces_that_at_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc(home / ".netrc")
    monkeypatch.setenv("NETRC", "~/other")
    assert key_source() == ""
    assert not wandb_finds_one()
    netrc(home / "other")
    assert key_source() == str(home / "other")
    assert wandb_finds_one()


@pytest.mark.parametrize(
    ("url", "host", "is_found"),
    [
        ("https://wandb.example.org:8443", "wandb.example.org:8443", True),
        ("https://wandb.example.org:8443/", "wandb.example.org", False),
        ("https://wandb.example.org", "api.wandb.ai", False),
    ],
)
def test_the_key_must_be_for_the_server(
    home: Path, monkeypatch: pytest.MonkeyPatch, url: str, host: str, is_found: bool
) -> None:
    netrc(home / ".netrc", host)
    monkeypatch.setenv("WANDB_BASE_URL", url)
    assert bool(key_source()) == is_found
    assert wandb_finds_one(url) == is_found


def test_the_public_server_has_one_key_under_all_its_names(home: Path) -> None:
    netrc(home / ".netrc")
    assert wandb_finds_one("https://api.forge.coreweave.com")
    assert key_source()


@pytest.mark.parametrize("text", ["machine api.wandb.ai login", "\x80 {", ""])
def test_a_damaged_netrc_file_holds_no_key(home: Path, text: str) -> None:
    (home / ".netrc").write_bytes(text.encode("latin-1"))
    assert key_source() == ""


def test_the_settings_files_of_wandb_are_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(home / ".config/wandb/settings", base_url="https://w.example.org", api_key=KEY)
    assert key_source() == "wandb's settings"
    assert server_host() == "w.example.org"
    settings(home / "work/wandb/settings", base_url="https://local.example.org")
    assert server_host() == "local.example.org"
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(home / "elsewhere"))
    assert key_source() == ""
