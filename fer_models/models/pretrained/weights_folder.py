"""Find pretrained weights in a folder of the user's by their file names, and their fingerprint."""

import functools
import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from fer_models.errors import ConfigError
from fer_models.user_input import user_path

_SUFFIXES = (".safetensors", ".bin", ".pth")
# File names of weights in a hub repository.
HUB_FILES = ("model.safetensors", "pytorch_model.bin")
_MAX_SHOWN = 8


def find_weights(folder: str, name: str, hub_id: str | None, further: Sequence[str] = ()) -> Path:
    """The file in `folder` that holds the weights of timm's network `name`.

    Args:
        folder: the user's folder (`network.weights_dir`).
        name: timm name, with or without a weights tag (`resnet34.a1_in1k`).
        hub_id: hub repository of the weights (`timm/resnet34.a1_in1k`), if there is one.
        further: names of files that are looked for after the usual ones.

    Raises:
        ConfigError: the folder or the file does not exist; the message lists the names tried.
    """
    path = user_path(folder)
    if not path.is_dir():
        found = "a file" if path.exists() else "nothing there"
        raise ConfigError(
            f"network {name}: network.weights_dir (--weights-dir) is {folder}: expected a folder "
            f"with pretrained weights, found {found}; name the folder, not a file in it"
        )
    candidates = [*_candidates(name, hub_id), *further]
    try:
        found_file = next((path / file for file in candidates if (path / file).is_file()), None)
        found_file = found_file or (cached_file(hub_id, path) if hub_id else None)
        if found_file is None:
            raise ConfigError(_not_found(name, hub_id, path, candidates))
    except OSError as error:
        raise ConfigError(
            f"network {name}: network.weights_dir (--weights-dir) {folder} can't be read: {error}; "
            "make it readable or name another folder"
        ) from error
    return found_file


def file_fingerprint(file: Path) -> str:
    """`sha256:<64 hex>` of a file's content, which is read again only if the file changes."""
    status = file.stat()
    return f"sha256:{_sha256(file, status.st_size, status.st_mtime_ns)}"


@functools.lru_cache(maxsize=64)
def _sha256(file: Path, _size: int, _mtime_ns: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def cached_file(hub_id: str, cache_folder: Path | None = None) -> Path | None:
    """Weights file in a huggingface_hub cache folder, by default the user's."""
    from huggingface_hub import try_to_load_from_cache

    for name in HUB_FILES:
        path = try_to_load_from_cache(hub_id, name, cache_dir=cache_folder)
        if isinstance(path, str):
            return Path(path)
    return None


def installed_file(module: str, file: str) -> Path | None:
    """A file in the folder `models` of an installed package, which is not imported."""
    package = importlib.util.find_spec(module)
    if package is None or not package.submodule_search_locations:
        return None
    return Path(package.submodule_search_locations[0], "models", file)


def _candidates(name: str, hub_id: str | None) -> list[str]:
    published = hub_id.rpartition("/")[2] if hub_id else name
    names = list(dict.fromkeys([name, published]))
    files = [f"{stem}{suffix}" for stem in names for suffix in _SUFFIXES]
    if hub_id:
        files += [f"{hub_id.replace('/', '--')}/{file}" for file in HUB_FILES]
    return files


def _not_found(name: str, hub_id: str | None, folder: Path, candidates: list[str]) -> str:
    cache = f", models--{hub_id.replace('/', '--')} (the hub's cache)" if hub_id else ""
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    more = f" and {len(names) - _MAX_SHOWN} more" if len(names) > _MAX_SHOWN else ""
    content = f"{', '.join(names[:_MAX_SHOWN])}{more}" if names else "nothing"
    return (
        f"network {name}: its pretrained weights are not in {folder} (network.weights_dir); looked "
        f"for {', '.join(candidates)}{cache}; the folder holds {content}. Put one of these files "
        "there, or set network.pretrained=false and network.weights_dir=null to train from scratch"
    )
