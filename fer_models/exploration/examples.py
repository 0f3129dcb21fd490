"""Which faces are shown: seeded draws, and the worst of each kind. The same ones every time."""

import hashlib

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.exploration import facts
from fer_models.exploration.pixels import Floats, PixelSums
from fer_models.exploration.sheets import Cell, Greys, Strip, sheet, wrapped
from fer_models.labels import CLASS_NAMES, UNLABELLED
from fer_models.plotting.figure import Drawing

_DRAW = "ferflow-exploration"  # the start of the draw
_COLUMNS = 12
_PAIRS = 6
_MAX_EXAMPLES = 24
Positions = npt.NDArray[np.int64]


class Examples:
    """Draws the sheets of faces of one snapshot; a sheet without a face is None."""

    def __init__(self, snapshot: DatasetSnapshot, rows: pd.DataFrame, sums: PixelSums) -> None:
        self._images = snapshot.images
        self._rows = rows
        self._sums = sums

    def mean_faces(self) -> Drawing | None:
        """Each class: mean face, what is special about it, and how much its images differ."""
        present = [k for k in range(len(CLASS_NAMES)) if (self._sums.group == k).any()]
        if not present:
            return None
        names = [f"{CLASS_NAMES[k]} ({(self._sums.group == k).sum():,})" for k in present]
        means = [self._sums.mean_face(k) for k in present]
        shapes = [mean - mean.mean() for mean in means]  # how bright a class is does not matter
        special = [shape - np.mean(shapes, axis=0) for shape in shapes]
        spreads = [self._sums.std_face(k) for k in present]
        strongest = max(float(np.abs(special).max()), 1.0)
        low, high = float(np.min(spreads)), float(np.max(spreads))
        strips = [
            Strip(
                [Cell(_greys(one, 0, 255), name) for one, name in zip(means, names, strict=True)],
                "mean",
            ),
            Strip(
                [Cell(_greys(one, -strongest, strongest)) for one in special],
                "against all",
                f"black \u2212{strongest:.0f}, white +{strongest:.0f}",
            ),
            Strip(
                [Cell(_greys(one, low, max(high, low + 1.0))) for one in spreads],
                "std",
                f"black {low:.0f}, white {high:.0f}",
            ),
        ]
        return sheet("mean_faces", "Mean face of each class", strips, len(CLASS_NAMES))

    def samples(self) -> Drawing | None:
        """Kept images of each class, drawn at random."""
        strips = []
        for number, name in enumerate(CLASS_NAMES):
            mask = (self._rows["kept"] & (self._rows["label"] == number)).to_numpy()
            chosen = self._drawn(mask, _COLUMNS)
            if len(chosen):
                cells = [Cell(self._images[p]) for p in chosen]
                strips.append(Strip(cells, name, f"{len(chosen)} of {mask.sum():,}"))
        return _sheet("samples", "Kept images of each class, drawn at random", strips, _COLUMNS)

    def quarantine(self) -> Drawing | None:
        """The worst images of each reason for quarantine, with their labels."""
        held = self._rows[~self._rows["kept"]]
        strips = []
        for reason, count in held["reason"].value_counts().sort_index().items():
            worst = _worst(held[held["reason"] == reason], "evidence", "score")[:_COLUMNS]
            cells = [Cell(self._images[p], self._name("given", p)) for p in worst]
            strips.append(Strip(cells, _words(str(reason)), f"{count:,}"))
        return _sheet("quarantine", "The clearest images of each reason", strips, _COLUMNS)

    def conflicts(self) -> Drawing | None:
        """Groups of identical images with different labels: the image once, with all labels."""
        cells = []
        for group in facts.conflicting_groups(self._rows, "given")[:_MAX_EXAMPLES]:
            members = self._rows[self._rows["duplicate_group"] == group]
            given = members["given"].to_numpy(dtype=np.int64)
            known, counts = np.unique(given[given != UNLABELLED], return_counts=True)
            lines = [
                CLASS_NAMES[k] + (f" x {count}" if count > 1 else "")
                for k, count in zip(known, counts, strict=True)
            ]
            cells.append(Cell(self._images[members.index[0]], "\n".join(lines[:3])))
        strips = wrapped(cells, _COLUMNS)
        return _sheet("conflicts", "Identical images with different labels", strips, _COLUMNS)

    def near_copies(self) -> Drawing | None:
        """Near copies at the left of what they are a copy of, from the surest to the least sure."""
        found = _worst(self._rows[facts.near_copies(self._rows)], "evidence", "score")
        place = pd.Series(self._rows.index, index=self._rows["image_id"])
        cells = []
        for position in found[_spread(len(found), 2 * _PAIRS)]:
            original = int(place[self._rows["related_id"].iloc[position]])
            caption = "\n".join(self._where(p) for p in (position, original))
            cells.append(Cell(self._beside(position, original), caption))
        strips = wrapped(cells, _PAIRS)
        return _sheet("near_copies", "Near copies, each beside its original", strips, _PAIRS)

    def label_errors(self) -> Drawing | None:
        """Images in quarantine whose label looks wrong: given and suggested label."""
        worst = _worst(self._rows[facts.label_errors(self._rows)], "score", "evidence")
        return self._suggestions("label_errors", "Label errors, the worst first", worst)

    def relabelled(self) -> Drawing | None:
        """Kept images whose label was changed: given label, and the one in force."""
        mask = facts.relabelled(self._rows) & (self._rows["given"] >= 0).to_numpy()
        cells = [
            Cell(self._images[p], f"{self._name('given', p)}\n\u2192 {self._name('label', p)}")
            for p in self._drawn(mask, _MAX_EXAMPLES)
        ]
        strips = wrapped(cells, _COLUMNS)
        return _sheet("relabelled", "Images with a new label", strips, _COLUMNS)

    def doubtful(self) -> Drawing | None:
        """Kept images whose label fits worst."""
        rows = self._rows
        worst = _worst(rows[rows["kept"] & (rows["score"] < 1)], "score", "evidence")
        return self._suggestions("doubtful", "Kept images whose label fits worst", worst)

    # -- private -----------------------------------------------------------------------------

    def _suggestions(self, name: str, title: str, worst: Positions) -> Drawing | None:
        cells = [
            Cell(
                self._images[p],
                f"{self._name('given', p)}{self._probability('probability', p)}\n"
                f"\u2192 {self._name('suggested_label', p)}"
                f"{self._probability('suggested_probability', p)}",
            )
            for p in worst[:_MAX_EXAMPLES]
        ]
        return _sheet(name, title, wrapped(cells, _COLUMNS), _COLUMNS)

    def _drawn(self, mask: npt.NDArray[np.bool_], count: int) -> Positions:
        """Up to `count` of the images in `mask`: by hash, so that no generator's version counts."""
        positions = np.flatnonzero(mask)
        ids = self._rows["image_id"].to_numpy()[positions]
        keys = [hashlib.sha256(f"{_DRAW}/{image_id}".encode()).digest() for image_id in ids]
        order = sorted(range(len(keys)), key=keys.__getitem__)[:count]
        return np.sort(positions[np.array(order, dtype=np.int64)])

    def _name(self, column: str, position: int) -> str:
        label = int(self._rows[column].iloc[position])
        return CLASS_NAMES[label] if label >= 0 else "no label"

    def _probability(self, column: str, position: int) -> str:
        value = float(self._rows[column].iloc[position])
        return "" if np.isnan(value) else f" {value:.2f}"

    def _where(self, position: int) -> str:
        return f"{self._rows['split'].iloc[position]}: {self._name('given', position)}"

    def _beside(self, left: int, right: int) -> Greys:
        return np.hstack([self._images[left], self._images[right]])


def _worst(rows: pd.DataFrame, *columns: str) -> Positions:
    """Positions of the rows (whose index is their position), lowest values first."""
    ordered = rows.sort_values(list(columns), kind="stable")
    return ordered.index.to_numpy(dtype=np.int64)


def _spread(available: int, count: int) -> Positions:
    """Up to `count` of `available` places, evenly spread from the first to the last."""
    return np.unique(np.linspace(0, available - 1, min(count, available)).astype(np.int64))


def _greys(values: Floats, low: float, high: float) -> Greys:
    """The values as a picture: `low` is black, `high` white."""
    return np.round((values - low) * (255 / (high - low))).astype(np.uint8)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _sheet(name: str, title: str, strips: list[Strip], columns: int) -> Drawing | None:
    return sheet(name, title, strips, columns) if strips else None
