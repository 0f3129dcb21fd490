"""Contact sheets of example faces: deterministic samples, and the worst cases of each kind."""

import hashlib
import textwrap

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.exploration import facts
from fer_models.exploration.pixels import Floats, PixelSums
from fer_models.exploration.sheets import Cell, Greys, Strip, render_sheet, wrapped
from fer_models.labels import UNLABELLED
from fer_models.plotting.figure import RenderedFigure
from fer_models.plotting.svg import short_name

_SALT = "ferflow-exploration"  # of the hash that orders samples
_COLUMNS = 12
_PAIRS = 6
_MAX_EXAMPLES = 24
_MIN_MEAN_FACES, _MAX_MEAN_FACES = 7, 8  # in a row
_CAPTION_CHARACTERS, _HEADING_CHARACTERS, _SHORT_CHARACTERS = 18, 20, 11
Positions = npt.NDArray[np.int64]


class Examples:
    """Contact sheets of one snapshot; None for a sheet without faces."""

    def __init__(self, snapshot: DatasetSnapshot, rows: pd.DataFrame, sums: PixelSums) -> None:
        self._images = snapshot.thumbnails
        self._classes = snapshot.classes.names
        self._rows = rows
        self._sums = sums

    def mean_faces(self) -> RenderedFigure | None:
        """Of each class: mean face, difference from all classes, and per-pixel deviation."""
        present = [k for k in range(len(self._classes)) if (self._sums.group == k).any()]
        if not present:
            return None
        names = [self._counted(k) for k in present]
        means = [self._sums.mean_face(k) for k in present]
        shapes = [mean - mean.mean() for mean in means]  # ignores overall brightness
        differences = [shape - np.mean(shapes, axis=0) for shape in shapes]
        spreads = [self._sums.std_face(k) for k in present]
        strongest = max(float(np.abs(differences).max()), 1.0)
        low, high = float(np.min(spreads)), float(np.max(spreads))
        cells = [Cell(_greys(one, 0, 255), name) for one, name in zip(means, names, strict=True)]
        rows = (
            (cells, "mean", ""),
            (
                [Cell(_greys(one, -strongest, strongest)) for one in differences],
                "difference",
                f"black \u2212{strongest:.0f}, white +{strongest:.0f}",
            ),
            (
                [Cell(_greys(one, low, max(high, low + 1.0))) for one in spreads],
                "standard deviation",
                f"black {low:.0f}, white {high:.0f}",
            ),
        )
        columns = min(max(len(self._classes), _MIN_MEAN_FACES), _MAX_MEAN_FACES)
        strips = [
            Strip(faces[start : start + columns], heading, note)
            for start in range(0, len(present), columns)
            for faces, heading, note in rows
        ]
        return render_sheet("mean_faces", "Mean face of each class", strips, columns)

    def samples(self) -> RenderedFigure | None:
        """A random sample of the kept images of each class."""
        strips = []
        for number, name in enumerate(self._classes):
            mask = (self._rows["kept"] & (self._rows["label"] == number)).to_numpy()
            chosen = self._sampled(mask, _COLUMNS)
            if len(chosen):
                cells = [Cell(self._images[p]) for p in chosen]
                heading = short_name(name, _HEADING_CHARACTERS)
                strips.append(Strip(cells, heading, f"{len(chosen)} of {mask.sum():,}"))
        return _sheet("samples", "Random sample of kept images by class", strips, _COLUMNS)

    def quarantine(self) -> RenderedFigure | None:
        """The clearest cases of each quarantine reason, with their original labels."""
        quarantined = self._rows[~self._rows["kept"]]
        strips = []
        for reason, count in quarantined["reason"].value_counts().sort_index().items():
            worst = _worst(quarantined[quarantined["reason"] == reason], "evidence", "score")
            cells = [Cell(self._images[p], self._name("given", p)) for p in worst[:_COLUMNS]]
            strips.append(Strip(cells, str(reason).replace("_", " "), f"{count:,}"))
        return _sheet("quarantine", "Quarantined images by reason", strips, _COLUMNS)

    def conflicts(self) -> RenderedFigure | None:
        """Groups of identical images with different labels: one image, all labels."""
        cells = []
        for group in facts.conflicting_groups(self._rows, "given")[:_MAX_EXAMPLES]:
            members = self._rows[self._rows["duplicate_group"] == group]
            given = members["given"].to_numpy(dtype=np.int64)
            known, counts = np.unique(given[given != UNLABELLED], return_counts=True)
            lines = [
                self._short(k) + (f" x {count}" if count > 1 else "")
                for k, count in zip(known, counts, strict=True)
            ]
            cells.append(Cell(self._images[members.index[0]], "\n".join(lines[:3])))
        strips = wrapped(cells, _COLUMNS)
        return _sheet("conflicts", "Identical images with different labels", strips, _COLUMNS)

    def near_duplicates(self) -> RenderedFigure | None:
        """Near duplicates, each left of its original, from strong to weak evidence."""
        found = _worst(self._rows[facts.near_duplicates(self._rows)], "evidence", "score")
        position_of = pd.Series(self._rows.index, index=self._rows["image_id"])
        cells = []
        for position in found[_spread(len(found), 2 * _PAIRS)]:
            original = int(position_of[self._rows["related_id"].iloc[position]])
            caption = "\n".join(self._where(p) for p in (position, original))
            cells.append(Cell(self._beside(position, original), caption))
        strips = wrapped(cells, _PAIRS)
        return _sheet("near_copies", "Near duplicates, each beside its original", strips, _PAIRS)

    def label_errors(self) -> RenderedFigure | None:
        """Quarantined label errors: original and suggested label."""
        worst = _worst(self._rows[facts.label_errors(self._rows)], "score", "evidence")
        return self._suggestions("label_errors", "Label errors, lowest label quality first", worst)

    def relabelled(self) -> RenderedFigure | None:
        """Relabelled kept images: original and current label."""
        mask = facts.relabelled(self._rows) & (self._rows["given"] >= 0).to_numpy()
        cells = [
            Cell(self._images[p], f"{self._name('given', p)}\n\u2192 {self._name('label', p)}")
            for p in self._sampled(mask, _MAX_EXAMPLES)
        ]
        strips = wrapped(cells, _COLUMNS)
        return _sheet("relabelled", "Relabelled images", strips, _COLUMNS)

    def doubtful(self) -> RenderedFigure | None:
        """Kept images with the lowest label quality."""
        rows = self._rows
        worst = _worst(rows[rows["kept"] & (rows["score"] < 1)], "score", "evidence")
        return self._suggestions("doubtful", "Kept images with the lowest label quality", worst)

    def _suggestions(self, name: str, title: str, worst: Positions) -> RenderedFigure | None:
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

    def _sampled(self, mask: npt.NDArray[np.bool_], count: int) -> Positions:
        """Up to `count` images of `mask`, by hash: independent of numpy's version."""
        positions = np.flatnonzero(mask)
        ids = self._rows["image_id"].to_numpy()[positions]
        keys = [hashlib.sha256(f"{_SALT}/{image_id}".encode()).digest() for image_id in ids]
        order = sorted(range(len(keys)), key=keys.__getitem__)[:count]
        return np.sort(positions[np.array(order, dtype=np.int64)])

    def _name(self, column: str, position: int) -> str:
        label = int(self._rows[column].iloc[position])
        return self._short(label) if label >= 0 else "no label"

    def _short(self, number: int) -> str:
        return short_name(self._classes[number], _SHORT_CHARACTERS)

    def _counted(self, number: int) -> str:
        """Name and number of images, in lines as wide as a face."""
        text = f"{self._classes[number]} ({(self._sums.group == number).sum():,})"
        return "\n".join(textwrap.wrap(text, _CAPTION_CHARACTERS))

    def _probability(self, column: str, position: int) -> str:
        value = float(self._rows[column].iloc[position])
        return "" if np.isnan(value) else f" {value:.2f}"

    def _where(self, position: int) -> str:
        return f"{self._rows['split'].iloc[position]}: {self._name('given', position)}"

    def _beside(self, left: int, right: int) -> Greys:
        return np.hstack([self._images[left], self._images[right]])


def _worst(rows: pd.DataFrame, *columns: str) -> Positions:
    """Index of the rows, which is their position, lowest values first."""
    ordered = rows.sort_values(list(columns), kind="stable")
    return ordered.index.to_numpy(dtype=np.int64)


def _spread(available: int, count: int) -> Positions:
    """Up to `count` of `available` indices, evenly spaced from the first to the last."""
    return np.unique(np.linspace(0, available - 1, min(count, available)).astype(np.int64))


def _greys(values: Floats, low: float, high: float) -> Greys:
    """The values as an image: `low` is black, `high` is white."""
    return np.round((values - low) * (255 / (high - low))).astype(np.uint8)


def _sheet(name: str, title: str, strips: list[Strip], columns: int) -> RenderedFigure | None:
    return render_sheet(name, title, strips, columns) if strips else None
