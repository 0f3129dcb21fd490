"""Merge what came back from one or more machines: models into a store, figures into a table."""

import io
import json
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fer_models.campaign.delivery import WEIGHTS_FILE
from fer_models.campaign.result import (
    Arrays,
    ResultsFolder,
    TrainingResult,
    parse_result,
    write_text,
)
from fer_models.errors import DataError
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore

_PIECE = re.compile(rf"{re.escape(WEIGHTS_FILE)}\.(\d+)of(\d+)")


@dataclass
class Merged:
    """What a merge did, by name of the training or id of the model."""

    added: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    """Results that the folder had already."""
    models: list[str] = field(default_factory=list)
    """Models that are now in the store."""
    incomplete: list[str] = field(default_factory=list)
    """Models whose weights did not come back whole."""


def merge_volumes(
    sources: Sequence[Path], results: ResultsFolder, store: ArtifactStore | None = None
) -> Merged:
    """Merge volumes of one or more calls; merging them again changes nothing.

    Args:
        sources: volumes, or folders that hold them.
        results: receives figures and predictions.
        store: receives the models whose weights came back; None: none.

    Raises:
        DataError: there are no volumes, or one is damaged.
        StoreError: the store can't be written.

    Example:
        merge_volumes([Path("out-1"), Path("out-2")], ResultsFolder(Path(".campaign/merged")))
    """
    entries = _entries(_volumes(sources))
    merged = Merged()
    for name in sorted(entries):
        if name.startswith("results/") and name.endswith(".json"):
            _merge_result(name, entries, results, merged)
    if store is not None:
        for model_id in sorted(
            {name.split("/")[1] for name in entries if name.startswith("models/")}
        ):
            _merge_model(model_id, entries, store, merged)
    return merged


def _volumes(sources: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for source in sources:
        found += sorted(source.rglob("campaign-*.zip")) if source.is_dir() else [source]
    if not found:
        raise DataError(
            f"expected volumes (campaign-1.zip, ...) in {', '.join(map(str, sources)) or 'nothing'}"
            ", got none; name the folders that came back from the machine"
        )
    return found


def _entries(volumes: Sequence[Path]) -> dict[str, bytes]:
    entries: dict[str, bytes] = {}
    damaged = []
    for volume in volumes:
        try:
            with zipfile.ZipFile(volume) as archive:
                entries |= {name: archive.read(name) for name in archive.namelist()}
        except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
            damaged.append(f"{volume}: {error}")
    if damaged:
        raise DataError("expected volumes of a campaign; copy these again:", damaged)
    return entries


def _merge_result(
    name: str, entries: dict[str, bytes], results: ResultsFolder, merged: Merged
) -> None:
    result = parse_result(entries[name], name)
    if results.read(result.key) is not None:
        merged.known.append(result.name)
        return
    results.write(result, _predictions(entries.get(f"results/{result.key}.npz", b"")))
    merged.added.append(result.name)


def _predictions(content: bytes) -> Arrays:
    if not content:
        return {}
    with np.load(io.BytesIO(content)) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _merge_model(
    model_id: str, entries: dict[str, bytes], store: ArtifactStore, merged: Merged
) -> None:
    prefix = f"models/{model_id}/"
    files = {
        name.removeprefix(prefix): entries[name] for name in entries if name.startswith(prefix)
    }
    pieces = {
        match: files.pop(match.string) for match in map(_PIECE.fullmatch, list(files)) if match
    }
    counts = {int(match[2]) for match in pieces}
    if "info.json" not in files or counts != {len(pieces)}:
        merged.incomplete.append(model_id)
        return
    ordered = sorted(pieces.items(), key=lambda item: int(item[0][1]))
    files[WEIGHTS_FILE] = _full(b"".join(content for _, content in ordered))
    info = json.loads(files.pop("info.json"))
    ref = store.ref(ModelRef, model_id, name=info["name"])
    if not store.exists(ref):
        store.put(ModelRef, model_id, files, info, name=info["name"])
    merged.models.append(model_id)


def _full(halves: bytes) -> bytes:
    """Weights in float32; exact, because campaigns round networks before they are measured."""
    from safetensors.torch import load, save

    return save({n: v.float() if v.is_floating_point() else v for n, v in load(halves).items()})


def read_results_file(file: Path) -> list[TrainingResult]:
    """The results in a file of `write_results_file`; none if there is no file.

    Raises:
        DataError: it is damaged.
    """
    if not file.exists():
        return []
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{file}: expected JSON ({error}); restore the file") from error
    return [parse_result(json.dumps(row).encode(), str(file)) for row in rows]


def write_results_file(file: Path, results: Sequence[TrainingResult]) -> None:
    """Write the figures of all results, without their lineage, in a stable order.

    On another machine the file says what need not be trained again.
    """
    ordered = sorted(results, key=lambda one: (one.experiment, one.is_final, one.seed, one.key))
    rows = [one.model_dump(mode="json", exclude={"lineage"}) for one in ordered]
    write_text(file, json.dumps(rows, indent=1) + "\n")
