"""The packages have generic names; these tests guard against what that could break."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.serving import SERVED

_REPOSITORY = Path(__file__).parents[2]
_PACKAGES = ("fer_models", "validation", "tasks", "flows", "deployments")
_HEAVY = ("torch", "ray", "timm", "pytorch_lightning", "great_expectations", "matplotlib", "wandb")


@pytest.mark.parametrize("package", _PACKAGES)
def test_package_resolves_to_this_checkout(package: str) -> None:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).parent == _REPOSITORY / package


def test_no_flow_file_is_named_like_a_package() -> None:
    for path in (_REPOSITORY / "flows").glob("*.py"):
        if path.stem == "__init__":
            continue
        assert importlib.util.find_spec(path.stem) is None, path


def test_entrypoints_are_module_paths_of_importable_flows() -> None:
    for served in SERVED:
        module = importlib.import_module(served.module)
        assert served.entrypoint == f"{served.module}.{served.function}"
        assert getattr(module, served.function).name == served.name


def _modules_after(code: str) -> set[str]:
    command = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=_REPOSITORY)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_the_command_line_starts_without_heavy_packages() -> None:
    loaded = _modules_after("import deployments.cli")
    assert not loaded & {*_HEAVY, "prefect", "pandas", "numpy", "pydantic", "rich"}


def test_flows_and_tasks_load_no_heavy_package() -> None:
    loaded = _modules_after("import flows.run_pipeline, flows.retrain")
    assert not loaded & {*_HEAVY, "s3fs", "sklearn"}


def test_the_library_starts_without_any_package() -> None:
    loaded = _modules_after("import fer_models\ndir(fer_models), fer_models.FerError")
    assert not loaded & {*_HEAVY, "numpy", "pandas", "pydantic", "PIL", "cv2", "scipy"}
    loaded = _modules_after("import flows\ndir(flows)")
    assert not loaded & {*_HEAVY, "prefect", "numpy"}


def test_flows_are_the_attributes_of_their_package() -> None:
    code = (
        "import flows.retrain\nfrom flows import retrain, run_pipeline\nimport flows.run_pipeline\n"
        "import importlib\nmodule = importlib.import_module('flows.run_pipeline')\n"
        "assert flows.run_pipeline is run_pipeline is module.run_pipeline\n"
        "assert (run_pipeline.name, retrain.name) == ('run-pipeline', 'retrain')"
    )
    assert "prefect" in _modules_after(code)


def test_a_package_that_shadows_one_of_ours_is_named(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "__init__.py").touch()
    path = os.pathsep.join([str(tmp_path), str(_REPOSITORY)])
    done = subprocess.run(
        [sys.executable, "-m", "deployments", "recipes", "list"],
        check=False,
        capture_output=True,
        text=True,
        cwd=_REPOSITORY.parent,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 2
    assert f"package 'tasks' in {_REPOSITORY}, got {tmp_path / 'tasks'}" in done.stderr
    assert "Traceback" not in done.stderr


def test_importing_writes_no_files(tmp_path: Path) -> None:
    modules = ", ".join(f"flows.{name}" for name in ("run_pipeline", "retrain"))
    code = f"import {modules}, deployments.serving, deployments.cli.run, deployments.cli.task.group"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
