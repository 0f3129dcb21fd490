import sys
from pathlib import Path

import pytest

from deployments import preload


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of a module that fails, of a missing one, and of one that can be imported."""
    (tmp_path / "ferflow_broken.py").write_text("raise OSError('no')\n", "utf-8")
    (tmp_path / "ferflow_valid.py").write_text("", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return ["ferflow_broken", "ferflow_absent", "ferflow_valid"]


def test_modules_that_can_be_imported_are_preloaded_and_others_are_skipped(
    modules: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preload, "num_cores", lambda: 2)
    thread = preload.preload_modules(modules)
    assert thread is not None
    thread.join()
    assert "ferflow_valid" in sys.modules
    assert "ferflow_broken" not in sys.modules


def test_nothing_is_preloaded_on_a_single_core(
    modules: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preload, "num_cores", lambda: 1)
    sys.modules.pop("ferflow_valid", None)
    assert preload.preload_modules(modules) is None
    assert "ferflow_valid" not in sys.modules
