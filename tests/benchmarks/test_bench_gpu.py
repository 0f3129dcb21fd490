from pathlib import Path

import pytest

from flows.pipeline_config import PipelineConfig
from tests.benchmarks.bench_gpu import bench_gpu
from tests.benchmarks.plots import plot_models


def test_every_member_is_reported_and_then_the_best_model_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    member = {"network": {"width": 0.25}, "training": {"epochs": 1}}
    config = PipelineConfig.model_validate(
        {
            "store": {"url": str(tmp_path / "store")},
            "data": {"synthetic": {"num_images": 210}},
            "cleaning": {"policy": "off"},
            "tuning": {"enabled": False},
            "tracking": {"mode": "disabled"},
            "members": [{"name": "first", **member}, {"name": "second", **member}],
        }
    )
    models = list(bench_gpu(config))
    assert [one.model.name for one in models[:2]] == ["first", "second"]
    assert models[2].accuracy >= max(one.accuracy for one in models[:2])
    seconds = [one.seconds for one in models]
    assert seconds == sorted(seconds)
    assert all(0 <= one.accuracy <= 1 and one.num_images > 0 for one in models)
    plot_models(models, (0.5,), tmp_path / "reached.png")
    assert (tmp_path / "reached.png").read_bytes().startswith(b"\x89PNG")
