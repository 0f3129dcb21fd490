"""Hash of the source code of a step, so that changed code never gets a stale cache hit.

The hash covers all first-party modules that an entry module imports, directly or indirectly,
including imports inside functions. Other modules don't count: a change of a chart does not
invalidate trained models.
"""

import ast
import hashlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

FIRST_PARTY = ("fer_models", "validation")


@cache
def source_hash(module: str) -> str:
    """Sha256 (first 16 hex digits) of a first-party module and all first-party modules it imports.

    Args:
        module: dotted name, such as `fer_models.training.train`; parsed, not imported.
    """
    digest = hashlib.sha256()
    for name, path in sorted(imported_modules(module).items()):
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def imported_modules(module: str) -> dict[str, Path]:
    """Source files of the module and of all first-party modules that it imports, by module name."""
    found: dict[str, Path] = {}
    pending = [module]
    while pending:
        name = pending.pop()
        path = _source_of(name)
        if path is None or name in found:
            continue
        found[name] = path
        pending.extend(_imports(path.read_bytes()))
    return found


@cache
def _imports(source: bytes) -> list[str]:
    names: list[str] = []
    for node in _statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
            # `from package import module`: the name may be a module itself
            names.extend(f"{node.module}.{alias.name}" for alias in node.names)
    return [name for name in names if name.partition(".")[0] in FIRST_PARTY]


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements below a node, in any block; much faster than walking all expressions."""
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        parts = getattr(node, block, ())
        for part in parts if isinstance(parts, list) else ():
            yield part
            yield from _statements(part)


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
