import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.server.home import (
    configured_api,
    database_is_migrated,
    prepare_database,
    use_project_home,
)
from deployments.server.running import only_one, running_facts, write_facts
from fer_models.errors import ConfigError
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore


@pytest.fixture
def user_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "user"
    (home / ".prefect").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return home


def _store(url: Path | str) -> ArtifactStore:
    return ArtifactStore(StoreConfig(url=str(url)))


def test_prefect_lives_beside_the_project_s_store(user_home: Path, tmp_path: Path) -> None:
    assert use_project_home(_store(tmp_path / "p" / ".ferflow" / "store")) == (
        tmp_path / "p" / ".ferflow" / "prefect"
    )
    assert os.environ.pop("PREFECT_HOME").endswith("prefect")
    assert use_project_home(_store("s3://bucket/prefix")) == tmp_path / ".ferflow" / "prefect"
    assert not (tmp_path / ".ferflow").exists()  # a command that fails leaves nothing behind
    prepare_database(tmp_path / ".ferflow" / "prefect")
    assert (tmp_path / ".ferflow" / "prefect").stat().st_mode & 0o077 == 0


def test_a_chosen_home_or_api_is_respected(
    user_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example/api")
    assert use_project_home(_store("store")) == user_home / ".prefect"
    monkeypatch.delenv("PREFECT_API_URL")
    profile = 'active = "ours"\n[profiles.ours]\nPREFECT_API_URL = "http://prefect.example/api"\n'
    (user_home / ".prefect" / "profiles.toml").write_text(profile)
    assert use_project_home(_store("store")) == user_home / ".prefect"
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "chosen"))
    assert use_project_home(_store("store")) == tmp_path / "chosen"


def test_profiles_are_read_where_prefect_reads_them(
    user_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(folder: Path, host: str) -> Path:
        folder.mkdir(exist_ok=True)
        url = f"http://{host}.example/api"
        path = folder / "profiles.toml"
        path.write_text(f'active = "ours"\n[profiles.ours]\nPREFECT_API_URL = "{url}"\n')
        return path

    write(user_home / ".prefect", "default")
    assert configured_api() == _as_prefect_does() == "http://default.example/api"
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))
    assert configured_api() is _as_prefect_does() is None
    write(tmp_path / "home", "home")
    assert configured_api() == _as_prefect_does() == "http://home.example/api"
    chosen = write(tmp_path / "chosen", "chosen")
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(chosen))
    assert configured_api() == _as_prefect_does() == "http://chosen.example/api"


def _as_prefect_does() -> str | None:
    code = "from prefect.settings import PREFECT_API_URL; print(PREFECT_API_URL.value() or '')"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip() or None


def _migrated(home: Path, runs: int) -> None:
    home.mkdir()
    with sqlite3.connect(home / "prefect.db") as database:
        database.execute("create table flow_run (id)")
        database.executemany("insert into flow_run values (?)", [(n,) for n in range(runs)])


def test_a_migrated_database_becomes_the_template_of_the_next_home(
    user_home: Path, tmp_path: Path
) -> None:
    _migrated(tmp_path / "first", runs=0)
    assert prepare_database(tmp_path / "first") == {}  # which version made it is unknown
    database_is_migrated(tmp_path / "first")
    assert "false" in prepare_database(tmp_path / "first").values()
    (tmp_path / "second").mkdir()
    assert "false" in prepare_database(tmp_path / "second").values()
    assert (tmp_path / "second" / "prefect.db").exists()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "postgresql+asyncpg://host/prefect"),
        ("PREFECT_API_DATABASE_CONNECTION_URL", "postgresql+asyncpg://host/prefect"),
        ("PREFECT_SERVER_DATABASE_DRIVER", "postgresql+asyncpg"),
    ],
)
def test_another_database_is_migrated_by_the_server(
    user_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    _migrated(tmp_path / "first", runs=0)
    database_is_migrated(tmp_path / "first")
    monkeypatch.setenv(variable, value)
    (tmp_path / "second").mkdir()
    assert prepare_database(tmp_path / "first") == prepare_database(tmp_path / "second") == {}
    assert not (tmp_path / "second" / "prefect.db").exists()
    _migrated(tmp_path / "third", runs=0)
    database_is_migrated(tmp_path / "third")  # it was another one
    assert [path.name for path in (tmp_path / "third").iterdir()] == ["prefect.db"]


def test_a_database_with_runs_is_no_template(user_home: Path, tmp_path: Path) -> None:
    _migrated(tmp_path / "first", runs=1)
    database_is_migrated(tmp_path / "first")
    (tmp_path / "second").mkdir()
    assert prepare_database(tmp_path / "second") == {}
    assert not (tmp_path / "second" / "prefect.db").exists()


def test_a_second_up_for_the_same_place_is_refused_with_the_address_of_the_first(
    tmp_path: Path,
) -> None:
    assert running_facts(tmp_path) is None
    with only_one(tmp_path):
        write_facts(tmp_path, {"ui": "http://127.0.0.1:4200", "pid": 7})
        second = f"""
import pathlib
from deployments.server.running import only_one, running_facts
home = pathlib.Path({str(tmp_path)!r})
print(running_facts(home)["pid"])
with only_one(home): pass
"""
        done = subprocess.run(
            [sys.executable, "-c", second], check=False, capture_output=True, text=True
        )
        assert done.stdout == "7\n"
        assert "already runs" in done.stderr
        assert "http://127.0.0.1:4200" in done.stderr
    assert running_facts(tmp_path) is None
    with only_one(tmp_path):
        pass
    with pytest.raises(ConfigError), only_one(tmp_path), only_one(tmp_path):
        pass
