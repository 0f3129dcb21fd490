"""What comes back from a lent machine: a few zip files of limited size, written as results come.

Each volume is complete whenever it exists. Figures and predictions always go first; weights in half
precision follow while there is room, in pieces where one volume is too small for them.
"""

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fer_models.campaign.result import ResultsFolder, TrainingResult
from fer_models.campaign.training import Workplace
from fer_models.evaluation.predictions import model_ref
from fer_models.storage.store import ArtifactStore

WEIGHTS_FILE = "weights.safetensors"
_OVERHEAD = 4096  # of a zip entry and its name, generously
_DELIVERED = "-delivered"
_PIECE_BYTES = 4_000_000


@dataclass(frozen=True)
class Limits:
    """What a call may bring back, in files and bytes."""

    files: int = 8
    file_bytes: int = 16 * 2**20
    total_bytes: int = 64 * 2**20
    figures_bytes: int = 4 * 2**20
    """Of the total, kept free of weights, so that figures that come later have room."""


@dataclass
class Delivery:
    """Writes volumes to a folder; what a marker says was delivered is not delivered again.

    Args:
        folder: empty, or of this machine's last call.
        limits: of the whole folder.
    """

    folder: Path
    limits: Limits = field(default_factory=Limits)

    def deliver(self, workplace: Workplace, keep: set[str]) -> list[TrainingResult]:
        """Deliver what was not delivered before; returns results whose weights have no room.

        Weights are those of final fits and of the experiments `keep`, the best first.
        """
        results = workplace.results
        everything = results.read_all()
        for result in everything:
            self._once(results, result, "figures", lambda one: self._add_figures(results, one))
        kept = [result for result in everything if result.is_final or result.experiment in keep]
        store = workplace.store
        return [
            result
            for result in sorted(kept, key=_priority)
            if not self._once(results, result, "weights", lambda one: self._add_model(store, one))
        ]

    @staticmethod
    def forget(results: ResultsFolder) -> None:
        """Deliver everything again: what was written for an earlier call got lost."""
        for marker in results.folder.glob(f"*{_DELIVERED}"):
            marker.unlink()

    def _once(
        self,
        results: ResultsFolder,
        result: TrainingResult,
        what: str,
        add: Callable[[TrainingResult], bool],
    ) -> bool:
        """Whether it is delivered, now or before."""
        marker = results.folder / f"{result.key}.{what}{_DELIVERED}"
        if marker.exists():
            return True
        if not add(result):
            return False
        marker.touch()
        return True

    def _add_figures(self, results: ResultsFolder, result: TrainingResult) -> bool:
        files = (results.file(result.key), results.predictions_file(result.key))
        parts = {f"results/{file.name}": file.read_bytes() for file in files if file.exists()}
        return self._add_all([parts], self.limits.total_bytes)

    def _add_model(self, store: ArtifactStore, result: TrainingResult) -> bool:
        files = _model_files(store, result.model_id)
        weights = files.pop(WEIGHTS_FILE)
        prefix = f"models/{result.model_id}"
        pieces: list[dict[str, bytes]] = [
            {f"{prefix}/{name}": content for name, content in files.items()}
        ]
        count = -(-len(weights) // _PIECE_BYTES)
        for number in range(count):
            piece = weights[number * _PIECE_BYTES : (number + 1) * _PIECE_BYTES]
            pieces.append({f"{prefix}/{WEIGHTS_FILE}.{number + 1}of{count}": piece})
        return self._add_all(pieces, self.limits.total_bytes - self.limits.figures_bytes)

    def _add_all(self, groups: Sequence[dict[str, bytes]], total_bytes: int) -> bool:
        """Add groups of entries, each within one volume, or none of them."""
        sizes = {number: self._volume(number).stat().st_size for number in self._numbers()}
        placed: dict[int, dict[str, bytes]] = {}
        for group in groups:
            size = sum(len(content) + _OVERHEAD for content in group.values())
            number = self._place(sizes, size)
            if number is None or sum(sizes.values()) + size > total_bytes:
                return False
            sizes[number] = sizes.get(number, 0) + size
            placed.setdefault(number, {}).update(group)
        for number, entries in placed.items():
            self._append(number, entries)
        return True

    def _place(self, sizes: dict[int, int], size: int) -> int | None:
        for number in range(1, self.limits.files + 1):
            if sizes.get(number, 0) + size <= self.limits.file_bytes:
                return number
        return None

    def _append(self, number: int, entries: dict[str, bytes]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self._volume(number)
        buffer = io.BytesIO(file.read_bytes() if file.exists() else b"")
        with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
            for name, content in entries.items():
                archive.writestr(name, content)
        partial = file.with_name(f".{file.name}.part")
        partial.write_bytes(buffer.getvalue())
        partial.replace(file)

    def _numbers(self) -> list[int]:
        numbers = range(1, self.limits.files + 1)
        return [number for number in numbers if self._volume(number).exists()]

    def _volume(self, number: int) -> Path:
        return self.folder / f"campaign-{number}.zip"


def _priority(result: TrainingResult) -> tuple[bool, float]:
    best = max((score.accuracy for score in result.scores.values()), default=0.0)
    return not result.is_final, -best


def _model_files(store: ArtifactStore, model_id: str) -> dict[str, bytes]:
    """The files of a model, its weights in half precision, and its metadata as `info.json`."""
    from safetensors.torch import load, save

    model = model_ref(store, model_id)
    files = {name: store.read_file(model, name) for name in store.describe(model).files}
    weights = load(files[WEIGHTS_FILE])
    halves = {n: v.half() if v.is_floating_point() else v for n, v in weights.items()}
    files[WEIGHTS_FILE] = save(halves)
    files["info.json"] = json.dumps(store.info(model)).encode()
    return files
