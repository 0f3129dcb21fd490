"""Every task's cache key contains the source and the outside content that its result depends on."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from prefect import Task, flow

import tasks
import tasks.stage
from fer_models.ingest.config import DataConfig
from fer_models.models.config import NetworkConfig
from fer_models.progress import Progress, listening
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from tasks.cache.results import results_in
from tasks.ingest import ingest
from tasks.promote import promote
from tasks.stage import DONE, FROM_CACHE
from tasks.train import train
from tasks.tune import tune
from tasks.validate import validate
from tests.fer_models.builders import build_snapshot
from validation.config import ValidationConfig

CACHED = {
    *("ingest", "validate", "score", "clean", "split", "explore"),
    *("tune", "train", "ensemble", "evaluate", "promote", "report"),
    *("train_fold", "final_network", "final_model", "evaluate_final"),
}
WITH_OUTSIDE_CONTENT = {"ingest", "validate", "tune", "train", "train_fold", "promote", "report"}


def _key(task: Task[..., Any], **parameters: Any) -> str:
    assert task.cache_key_fn is not None
    return str(task.cache_key_fn(None, parameters))  # type: ignore[arg-type]


def _modules() -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(tasks.__path__):
        yield importlib.import_module(f"tasks.{found.name}")


def _cached_tasks() -> dict[str, tuple[Task[..., Any], ModuleType]]:
    return {
        value.name: (value, module)
        for module in _modules()
        for value in vars(module).values()
        if isinstance(value, Task) and value.cache_key_fn is not None
    }


def _called_modules(module: ModuleType) -> set[str]:
    """The modules of the imported functions that the module's code calls."""
    nodes = list(ast.walk(ast.parse(inspect.getsource(module))))
    calls = (node.func for node in nodes if isinstance(node, ast.Call))
    called = {function.id for function in calls if isinstance(function, ast.Name)}
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    return {str(i.module) for i in imports if called & {alias.name for alias in i.names}}


def test_every_cached_task_names_the_library_module_it_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries: dict[str, tuple[str, bool]] = {}

    def record(
        name: str,
        entry: str,
        parameters: Mapping[str, Any],
        cache_key_extra: Callable[[Mapping[str, Any]], str] | None,
    ) -> str:
        entries[name] = (entry, cache_key_extra is not None)
        return "key"

    monkeypatch.setattr(tasks.stage, "stage_key", record)
    cached = _cached_tasks()
    for task, module in cached.values():
        _key(task)
        entry, _ = entries[task.name]
        assert entry in _called_modules(module), task.name
    assert cached.keys() == CACHED
    assert {name for name, (_, has_extra) in entries.items() if has_extra} == WITH_OUTSIDE_CONTENT


def test_validate_runs_again_when_the_expectations_change(tmp_path: Path) -> None:
    file = tmp_path / "custom.yaml"
    config = ValidationConfig(expectations_file=str(file))
    file.write_text("- first", "utf-8")
    before = _key(validate, config=config)
    assert _key(validate, config=config) == before
    file.write_text("- second", "utf-8")
    assert _key(validate, config=config) != before


def test_promote_runs_again_when_another_model_is_champion(store: ArtifactStore) -> None:
    candidate = store.ref(ModelRef, "candidate", name="candidate")
    given = {"candidate": candidate, "snapshot": build_snapshot(store), "store": store.config}
    before = _key(promote, **given)
    assert _key(promote, **given) == before
    Registry(store).set("champion@other", "another", "of other classes")
    assert _key(promote, **given) == before
    Registry(store).set(CHAMPION, "another", "promoted by a test")
    against_another = _key(promote, **given)
    assert against_another != before
    Registry(store).set(CHAMPION, "candidate", "promoted by a test")
    assert _key(promote, **given) == against_another
    Registry(store).set(CHAMPION, "another", "rolled back by a test")
    assert _key(promote, **given) not in (before, against_another)


@pytest.mark.parametrize("task", [train, tune], ids=["train", "tune"])
def test_trainings_run_again_when_the_pretrained_weights_change(
    task: Task[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "test_resnet.pth"
    network = NetworkConfig(name="test_resnet", pretrained=True, weights_dir=str(tmp_path))
    member = MemberConfig(name="fine-tuned", network=network)
    torch.save({"conv1.0.weight": torch.zeros(2)}, file)
    before = _key(task, member=member)
    assert _key(task, member=member) == before
    torch.save({"conv1.0.weight": torch.ones(2)}, file)
    assert _key(task, member=member) != before


def test_train_runs_again_for_other_initial_weights(store: ArtifactStore) -> None:
    member = MemberConfig(name="small", network=NetworkConfig())
    first, second = (store.ref(ModelRef, f"small-{n}", name="small") for n in (1, 2))
    keys = {_key(train, member=member, initial=initial) for initial in (None, first, second)}
    assert len(keys) == 3


@contextmanager
def _notes() -> Iterator[list[str]]:
    """How the tasks in the block ended: executed or from the cache."""
    notes: list[str] = []

    def listener(progress: Progress) -> None:
        if progress.note in (DONE, FROM_CACHE):
            notes.append(progress.note)

    with listening(listener):
        yield notes


def _write_csv(path: Path, *greys: int) -> None:
    rows = [f"{grey % 7},{' '.join([str(grey)] * 48 * 48)},Training" for grey in greys]
    path.write_text("\n".join(["emotion,pixels,Usage", *rows, ""]), "utf-8")


@pytest.mark.usefixtures("prefect_server")
def test_a_changed_csv_is_ingested_again_and_an_unchanged_one_is_not(
    store: ArtifactStore, tmp_path: Path
) -> None:
    path = tmp_path / "faces.csv"
    config = DataConfig(sources=(str(path),))

    @flow
    def ingest_only() -> SnapshotRef:
        with results_in(store.config):
            return ingest(config, 0, store.config)

    with _notes() as notes:
        _write_csv(path, 10, 20)
        first = ingest_only()
        assert ingest_only() == first
        _write_csv(path, 10, 21)
        changed = ingest_only()
    assert notes == [DONE, FROM_CACHE, DONE]
    assert changed.id != first.id
