"""A hash of the source that a step is made of, so that changed code is never served stale.

The first-party modules that an entry module imports count, directly or not, also those that are
imported inside functions; no other module does, so an edit of a chart leaves trainings alone.
"""

import ast
import hashlib
import importlib.util
from functools import cache
from pathlib import Path

FIRST_PARTY = ("fer_models", "validation")


@cache
def source_hash(module: str) -> str:
    """Hex sha256 (16 digits) over a first-party module and all first-party modules it imports.

    Args:
        module: dotted name, such as `fer_models.training.train`; it is read, not imported.
    """
    digest = hashlib.sha256()
    for name, path in sorted(imported_modules(module).items()):
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def imported_modules(module: str) -> dict[str, Path]:
    """The source file of the module and of each first-party module that it imports, by name."""
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
