"""The built-in recipes: the YAML files of this folder."""

from pathlib import Path

_FOLDER = Path(__file__).parent


def recipe_names() -> list[str]:
    """The names of all built-in recipes, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def recipe_path(name: str) -> Path:
    """The file of a built-in recipe."""
    return _FOLDER / f"{name}.yaml"
