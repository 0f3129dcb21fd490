"""A hash of the source that a stage is made of, so that changed code is never served stale.

Prefect's TASK_SOURCE sees a task's own few lines; here the first-party modules that the stage's
entry module imports, directly or not, count too, as do the versions of the numeric packages.
"""

import ast
import hashlib
import importlib.util
from functools import cache
from pathlib import Path

from fer_models.lineage import package_version

FIRST_PARTY = ("fer_models", "validation")
_PACKAGES = (
    "cleanlab",
    "great-expectations",
    "matplotlib",
    "numpy",
    "pandas",
    "pillow",
    "pytorch-lightning",
    "ray",
    "scikit-learn",
    "timm",
    "torch",
)


@cache
def source_sha(module: str) -> str:
    """Hex sha256 (16 digits) over a first-party module and all it imports of ours."""
    digest = hashlib.sha256()
    for name, path in sorted(_closure(module).items()):
        digest.update(name.encode() + b"\0" + path.read_bytes())
    for package in _PACKAGES:
        digest.update(f"{package}=={package_version(package)}\n".encode())
    return digest.hexdigest()[:16]


def _closure(module: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _source_of(name)
        if path is None or name in found:
            continue
        found[name] = path
        waiting.extend(_imports(path))
    return found


def _imports(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
            # `from package import module`: the name may itself be a module
            names.extend(f"{node.module}.{alias.name}" for alias in node.names)
    return [name for name in names if name.partition(".")[0] in FIRST_PARTY]


def _source_of(module: str) -> Path | None:
    package, _, leaf = module.rpartition(".")
    if package:
        parent = _source_of(package)
        if parent is None or parent.name != "__init__.py":
            return None
        folder = parent.parent
    else:
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            return None
        return Path(spec.origin)
    candidates = (folder / f"{leaf}.py", folder / leaf / "__init__.py")
    return next((path for path in candidates if path.exists()), None)
