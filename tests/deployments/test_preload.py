import sys
from pathlib import Path

import pytest

from deployments import preload


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of a module that fails and of one that loads."""
    (tmp_path / "ferflow_broken.py").write_text("raise OSError('no')\n", "utf-8")
    (tmp_path / "ferflow_sound.py").write_text("", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return ["ferflow_broken", "ferflow_absent", "ferflow_sound"]


def test_what_can_be_loaded_is_loaded_and_the_rest_left_to_those_who_need_it(
    modules: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preload, "num_cores", lambda: 2)
    thread = preload.preload_modules(modules)
    assert thread is not None
    thread.join(60)
    assert "ferflow_sound" in sys.modules
    assert "ferflow_broken" not in sys.modules


def test_a_single_core_is_left_to_the_server(
    modules: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preload, "num_cores", lambda: 1)
    sys.modules.pop("ferflow_sound", None)
    assert preload.preload_modules(modules) is None
    assert "ferflow_sound" not in sys.modules
