"""Members with folds in the flow that trains them."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import ValidationError

from fer_models.dataset.snapshot import open_snapshot
from fer_models.evaluation.predictions import read_out_of_fold
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from flows.pipeline_config import PipelineConfig
from tests.fer_models.training.faces import write_faces
from tests.flows.conftest import tiny_config

train_models = importlib.import_module("flows.train_models")


def with_folds(url: str, *folds: int, teachers: tuple[str, ...] = ()) -> PipelineConfig:
    """A member for each number of folds; the last one has the teachers."""
    first = tiny_config(url).members[0]
    members = [
        first.model_dump() | {"name": f"net{number}", "out_of_fold": {"folds": count}}
        for number, count in enumerate(folds)
    ]
    members[-1]["teachers"] = teachers
    return tiny_config(url, members=members, tuning={"enabled": False})


def test_a_flow_trains_the_folds_and_stores_their_predictions(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, Any]] = []

    @contextmanager
    def in_this_process() -> Iterator[Any]:
        def start(task: Any, *args: Any) -> Any:
            started.append((task.name, args[1].name))
            return task.fn(*args)

        yield start

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(train_models, "side_by_side", in_this_process)
    config = with_folds(str(tmp_path / "store"), 2, 0)
    store = ArtifactStore(StoreConfig(url=config.store.url))
    snapshot = write_faces(store, num_train=56, num_validation=14, num_test=7)
    models = train_models._train_members(config, snapshot, None, {})
    assert started == [("train_fold", "net0")] * 2 + [("train", "net0"), ("train", "net1")]
    opened = open_snapshot(store, snapshot)
    predicted = [read_out_of_fold(store, opened, model) for model in models]
    assert predicted[0] is not None
    assert predicted[1] is None


def test_a_student_needs_teachers_with_the_same_folds(tmp_path: Any) -> None:
    with_folds(str(tmp_path), 2, 2, teachers=("net0",))
    with pytest.raises(ValidationError, match=r"set members\.net0\.out_of_fold\.folds=3"):
        with_folds(str(tmp_path), 2, 3, teachers=("net0",))
    with_folds(str(tmp_path), 2, 0, teachers=("net0",))
