"""Environments of other packages, with pinned versions: Python's by uv, those of npm by npm."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_models.errors import FerError

Done = subprocess.CompletedProcess[str]
_LAST_CHARACTERS = 160
_INSTALL_S = 1800
_LOCK = ("package.json", "package-lock.json")


class PeerMissingError(FerError):
    """A package that can't be run here, with the reason."""


@dataclass(frozen=True)
class Environment:
    """Where a package is installed, and how its runner is started there.

    Attributes:
        program: the interpreter.
        variables: of the process.
        answer: name of the file that the runner writes.
    """

    program: str
    variables: Mapping[str, str]
    answer: str


def environment_of(package: str, runner: Path, root: Path) -> Environment:
    """The environment of a package, which is made if it is not there.

    A runner in JavaScript takes the versions of `<package>/package-lock.json` beside it, one in
    Python those of `<package>.txt`. Other versions get another environment.

    Raises:
        PeerMissingError: it can't be installed; the message is the reason.
    """
    if runner.suffix == ".js":
        return _node_environment(runner.parent / package, root / package)
    return _python_environment(runner.parent / f"{package}.txt", root / package)


def _python_environment(requirements: Path, root: Path) -> Environment:
    folder = root / f"environment-{_key(requirements)}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    found = Environment(str(python), {"PYTHONNOUSERSITE": "1"}, "answer.npz")
    if _is_complete(folder):
        return found
    uv = [sys.executable, "-m", "uv"]
    pip = [*uv, "pip", "install", "--quiet", "--no-deps", "--python", str(python)]
    made = run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)])
    if made.returncode == 0:
        made = run([*pip, "--requirement", str(requirements)])
    if made.returncode != 0:
        raise PeerMissingError(f"can't be installed: {last_line(made.stderr)}")
    _complete(folder)
    return found


def _node_environment(pinned: Path, root: Path) -> Environment:
    """Scripts of packages are not run: none of these needs any."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise PeerMissingError(
            "expected node and npm on PATH, got "
            f"{'no npm' if node else 'no node'}; install Node.js 18 or later"
        )
    folder = root / f"environment-{_key(*(pinned / name for name in _LOCK))}"
    found = Environment(node, {"NODE_PATH": str(folder / "node_modules")}, "answer.json")
    if _is_complete(folder):
        return found
    folder.mkdir(parents=True, exist_ok=True)
    for name in _LOCK:
        shutil.copyfile(pinned / name, folder / name)
    quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
    made = run([npm, "ci", "--ignore-scripts", *quiet], cwd=folder)
    if made.returncode != 0:
        # The last lines of npm are about its log file.
        reason = made.stderr.strip().partition("\n")[0][:_LAST_CHARACTERS]
        raise PeerMissingError(f"can't be installed: {reason}; `npm ping` checks its registry")
    _complete(folder)
    return found


def _key(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _is_complete(folder: Path) -> bool:
    return (folder / ".complete").exists()


def _complete(folder: Path) -> None:
    (folder / ".complete").touch()


def run(
    command: Sequence[str],
    timeout_s: float = _INSTALL_S,
    cwd: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> Done:
    """Run a program without the project's PYTHONPATH.

    Raises:
        PeerMissingError: it takes too long.
    """
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            cwd=cwd,
            env=environment | dict(variables or {}),
        )
    except subprocess.TimeoutExpired as error:
        raise PeerMissingError(f"not done after {timeout_s:.0f} s") from error


def last_line(text: str) -> str:
    """The last line that is not empty, shortened; "" if there is none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:_LAST_CHARACTERS] if lines else ""
