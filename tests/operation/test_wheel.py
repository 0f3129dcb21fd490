"""An installed wheel works without the checkout, beside packages of the same names."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from PIL import Image

_ROOT = Path(__file__).parents[2]
_TWO_LINES = """
import fer_models
print(fer_models.predict("face.png", faces="crop")[0].label, fer_models.__file__)
from flows import run_pipeline
print(run_pipeline.name)
"""


def run(*command: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command without the checkout on the module search path."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(part) for part in command],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=600,
        env=inherited | variables,
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment with the wheel; its dependencies are those of this one."""
    root = tmp_path_factory.mktemp("installed here")
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", root, cwd=_ROOT)
    assert built.returncode == 0, built.stderr
    [wheel] = root.glob("*.whl")
    venv.create(root / "venv", with_pip=False)
    python = root / "venv" / "bin" / "python"
    arguments = ("install", "--no-deps", "--offline", "--quiet", "--python", python, wheel)
    done = run(sys.executable, "-m", "uv", "pip", *arguments, cwd=root)
    assert done.returncode == 0, done.stderr
    [packages] = (root / "venv" / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    return python.parent


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder with a face and packages of a user, named like ferflow's."""
    Image.effect_noise((48, 48), 60).save(tmp_path / "face.png")
    for name in ("tasks", "flows", "validation"):
        (tmp_path / "others" / name).mkdir(parents=True)
        (tmp_path / "others" / name / "__init__.py").write_text("raise ImportError('not ours')")
    return tmp_path


@pytest.mark.slow
def test_the_command_and_two_lines_work_from_another_folder(
    installed: Path, elsewhere: Path
) -> None:
    done = run(installed / "ferflow", "predict", "face.png", "--faces", "crop", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert "face.png" in done.stdout
    done = run(installed / "python", "-c", _TWO_LINES, cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert str(installed.parent) in done.stdout
    assert "run-pipeline" in done.stdout


@pytest.mark.slow
def test_the_command_works_in_a_folder_with_packages_of_its_names(
    installed: Path, elsewhere: Path
) -> None:
    arguments = ("predict", "../face.png", "--faces", "crop")
    done = run(installed / "ferflow", *arguments, cwd=elsewhere / "others")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_prediction_in_python_needs_no_package_of_a_frequent_name(
    installed: Path, elsewhere: Path
) -> None:
    code = "import fer_models; print(fer_models.predict('../face.png', faces='crop')[0].label)"
    done = run(installed / "python", "-c", code, cwd=elsewhere / "others")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_package_that_comes_first_is_named_with_the_remedy(
    installed: Path, elsewhere: Path
) -> None:
    others = str(elsewhere / "others")
    arguments = (installed / "ferflow", "predict", "face.png", "--faces", "crop")
    done = run(*arguments, cwd=elsewhere, PYTHONPATH=others)
    assert done.returncode == 2
    assert f"{others}/tasks" in done.stderr or f"{others}/validation" in done.stderr
    assert "Traceback" not in done.stderr
    assert "PYTHONPATH" in done.stderr
    assert run(*arguments, cwd=elsewhere, PYTHONPATH="").returncode == 0
