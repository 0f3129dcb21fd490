"""The cache key of a task call changes with everything that the result depends on."""

from pathlib import Path
from typing import Any

import pytest

from fer_models import source_hash as hashing
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from flows.pipeline_config import PipelineConfig
from tasks.cache import key as cache_key
from tasks.cache.key import stage_key


def _key(entry: str = "fer_models.cleaning.clean", **parameters: Any) -> str:
    return stage_key("step", entry, parameters)


def _ref(name: str) -> SnapshotRef:
    return ArtifactStore(StoreConfig(url="/store")).ref(SnapshotRef, name)


def test_the_key_ignores_tracking_but_not_the_other_parameters() -> None:
    assert _key(seed=1, tracking="offline") == _key(seed=1, tracking="disabled")
    assert _key(seed=1) != _key(seed=2)
    assert _key(models=[_ref("a"), _ref("b")]) != _key(models=[_ref("b"), _ref("a")])


def test_the_key_contains_the_extra_part() -> None:
    keys = {
        stage_key("step", "fer_models.cleaning.clean", {"path": path}, lambda p: f"content {p}")
        for path in ("a", "b")
    }
    assert len(keys) == 2
    first, second = (
        stage_key("step", "fer_models.cleaning.clean", {}, lambda _, content=content: content)
        for content in ("old", "new")
    )
    assert first != second


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A first-party package whose module `work` imports `helper` and not `unrelated`."""
    folder = tmp_path / "ferflow_sample"
    folder.mkdir()
    for name, text in {
        "__init__": "",
        "work": "from ferflow_sample.helper import twice\n",
        "helper": "def twice(x):\n    return 2 * x\n",
        "unrelated": "",
    }.items():
        (folder / f"{name}.py").write_text(text, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(hashing, "FIRST_PARTY", ("ferflow_sample",))
    return folder


@pytest.mark.parametrize("edited", ["work", "helper"])
def test_an_edit_of_the_source_behind_a_task_changes_the_key(package: Path, edited: str) -> None:
    hashing.source_hash.cache_clear()
    before = _key("ferflow_sample.work")
    hashing.source_hash.cache_clear()
    assert _key("ferflow_sample.work") == before
    with (package / f"{edited}.py").open("a", encoding="utf-8") as file:
        file.write("\nCHANGED = True\n")
    hashing.source_hash.cache_clear()
    assert _key("ferflow_sample.work") != before


def test_an_edit_of_other_source_keeps_the_key(package: Path) -> None:
    hashing.source_hash.cache_clear()
    before = _key("ferflow_sample.work")
    (package / "unrelated.py").write_text("CHANGED = True\n", "utf-8")
    hashing.source_hash.cache_clear()
    assert _key("ferflow_sample.work") == before


@pytest.mark.parametrize("package_name", ["numpy", "scipy", "torch", "timm", "pandas", "ray"])
def test_another_version_of_a_numeric_package_changes_the_key(
    package_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _key(seed=1)
    installed = cache_key.package_version
    monkeypatch.setattr(
        cache_key,
        "package_version",
        lambda name: "0.0.1" if name == package_name else installed(name),
    )
    assert _key(seed=1) != before


def test_the_key_ignores_where_a_whole_configuration_is_tracked() -> None:
    config = PipelineConfig()
    tracked = config.model_copy(update={"tracking": TrackingConfig(mode="disabled")})
    assert _key(config=config) == _key(config=tracked)
    assert _key(config=config) != _key(config=config.model_copy(update={"seed": 7}))
