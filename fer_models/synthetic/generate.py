"""Generate synthetic faces in FER2013's schema, with planted defects and their ground truth.

N images in total: the faces of the config, then the planted copies and non-faces, shuffled. Defects
are planted in training only, because cleaning never modifies the held-out splits.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_models.dataset.snapshot import SPLITS, Images
from fer_models.labels import NUM_CLASSES, Expression
from fer_models.synthetic.action_units import Integers, draw_traits
from fer_models.synthetic.config import SyntheticConfig
from fer_models.synthetic.distractors import draw_blank, draw_non_faces
from fer_models.synthetic.faces import draw_faces

EXACT_DUPLICATE = "exact_duplicate"
NEAR_DUPLICATE = "near_duplicate"
LEAK = "leak"
BLANK = "blank"
NON_FACE = "non_face"
LABEL_ERROR = "label_error"
NO_ORIGINAL = -1

# FER2013's class imbalance, except for disgust: its 1.5 % would be too rare in a small data set.
CLASS_SHARES: dict[Expression, float] = {
    Expression.ANGRY: 0.13,
    Expression.DISGUST: 0.06,
    Expression.FEAR: 0.13,
    Expression.HAPPY: 0.24,
    Expression.SAD: 0.16,
    Expression.SURPRISE: 0.12,
    Expression.NEUTRAL: 0.16,
}


@dataclass(frozen=True)
class SyntheticFaces:
    """Generated images and their ground truth.

    Attributes:
        images: uint8 N x 48 x 48.
        manifest_fields: N rows `split`, `label` (0..6, wrong ones included), `path` ("").
        truth: N rows `row` (0..N-1), `true_label` (0..6; -1 for blank images and non-faces),
            `defect` ("" for none) and `original_row` (of a copy, else -1).
    """

    images: Images
    manifest_fields: pd.DataFrame
    truth: pd.DataFrame


@dataclass
class _Collection:
    """Images and their fields, extended while defects are planted."""

    images: list[Images]
    split: list[str]
    label: list[int]
    true_label: list[int]
    defect: list[str]
    original_row: list[int]

    def rows(self, *splits: str) -> Integers:
        """Rows of faces without a defect in the given splits, in order."""
        pairs = zip(self.split, self.defect, strict=True)
        chosen = [
            row for row, (split, defect) in enumerate(pairs) if split in splits and not defect
        ]
        return np.array(chosen, dtype=np.int64)

    def add_copies(self, rows: Integers, images: Images, defect: str, split: str = "") -> None:
        """Append copies of `rows`, in the split of their originals unless `split` is given."""
        self.images.append(images)
        for row in rows.tolist():
            self.split.append(split or self.split[row])
            self.label.append(self.label[row])
            self.true_label.append(self.true_label[row])
            self.defect.append(defect)
            self.original_row.append(row)

    def add_non_faces(self, images: Images, defect: str, rng: np.random.Generator) -> None:
        """Append images without a face to training, each with a random label."""
        self.images.append(images)
        for _ in range(len(images)):
            self.split.append("train")
            self.label.append(int(rng.integers(NUM_CLASSES)))
            self.true_label.append(-1)
            self.defect.append(defect)
            self.original_row.append(NO_ORIGINAL)


def generate_synthetic(config: SyntheticConfig, seed: int) -> SyntheticFaces:
    """Draw faces and plant defects; same config and seed, same bytes on every machine.

    Example:
        faces = generate_synthetic(SyntheticConfig(num_images=1000), seed=0)
        planted = faces.truth["defect"].value_counts()
    """
    rng = np.random.default_rng(seed)
    faces = _draw_clean_faces(config, rng)
    _plant_copies(faces, config, rng)
    num = config.num_images
    faces.add_non_faces(draw_blank(_share(config.blank_fraction, num), rng), BLANK, rng)
    faces.add_non_faces(draw_non_faces(_share(config.non_face_fraction, num), rng), NON_FACE, rng)
    _plant_label_errors(faces, config, rng)
    return _shuffled(faces, rng)


def _draw_clean_faces(config: SyntheticConfig, rng: np.random.Generator) -> _Collection:
    num_validation = _share(config.validation_fraction, config.num_images)
    num_test = _share(config.test_fraction, config.num_images)
    sizes = (config.num_images - num_validation - num_test, num_validation, num_test)
    labels = np.concatenate([_class_labels(size) for size in sizes])
    traits = draw_traits(labels, rng)
    return _Collection(
        images=[draw_faces(traits, rng)],
        split=[split for split, size in zip(SPLITS, sizes, strict=True) for _ in range(size)],
        label=labels.tolist(),
        true_label=labels.tolist(),
        defect=[""] * len(labels),
        original_row=[NO_ORIGINAL] * len(labels),
    )


def _class_labels(count: int) -> Integers:
    """`count` sorted labels in the shares of `CLASS_SHARES`, each class within 1 of its share."""
    edges, cumulative = [0], 0.0
    for share in CLASS_SHARES.values():
        cumulative += share
        edges.append(round(cumulative * count))
    return np.repeat(np.array(list(CLASS_SHARES), dtype=np.int64), np.diff(edges))


def _plant_copies(faces: _Collection, config: SyntheticConfig, rng: np.random.Generator) -> None:
    drawn = faces.images[0]
    # Each face is copied at most once, so that the truth consists of pairs.
    sources = {
        (EXACT_DUPLICATE, ""): (faces.rows("train"), config.exact_duplicate_fraction),
        (NEAR_DUPLICATE, ""): (faces.rows("train"), config.near_duplicate_fraction),
        (LEAK, "train"): (faces.rows("validation", "test"), config.leak_fraction),
    }
    used = np.empty(0, dtype=np.int64)
    for (defect, split), (rows, fraction) in sources.items():
        free = rng.permutation(np.setdiff1d(rows, used))
        chosen = free[: _share(fraction, config.num_images)]
        copies = drawn[chosen]
        if defect == NEAR_DUPLICATE:
            copies = _altered(copies, rng)
        faces.add_copies(chosen, copies, defect, split)
        used = np.concatenate([used, chosen])


def _altered(images: Images, rng: np.random.Generator) -> Images:
    """Near duplicates: shifted by one pixel, brighter or darker, or unchanged, plus noise."""
    count = len(images)
    altered = images.astype(np.int64)
    for number, kind in enumerate(rng.integers(0, 3, size=count)):
        if kind == 0:
            altered[number] = _shifted(altered[number], (-1, 1)[int(rng.integers(2))])
        elif kind == 1:
            altered[number] += int(rng.integers(5, 16)) * (1 if rng.random() < 0.5 else -1)
        altered[number] += rng.integers(-3, 4, size=images.shape[1:])
    return np.clip(altered, 0, 255).astype(np.uint8)


def _shifted(image: Integers, step: int) -> Integers:
    shifted = np.roll(image, step, axis=1)
    edge = 0 if step > 0 else -1
    shifted[:, edge] = image[:, edge]
    return shifted


def _plant_label_errors(
    faces: _Collection, config: SyntheticConfig, rng: np.random.Generator
) -> None:
    # Originals keep their label: exact copies are planted with equal labels.
    copied = np.array(faces.original_row, dtype=np.int64)
    free = rng.permutation(np.setdiff1d(faces.rows("train"), copied))
    for row in free[: _share(config.label_error_fraction, config.num_images)].tolist():
        wrong = (faces.label[row] + 1 + int(rng.integers(NUM_CLASSES - 1))) % NUM_CLASSES
        faces.label[row] = wrong
        faces.defect[row] = LABEL_ERROR


def _shuffled(faces: _Collection, rng: np.random.Generator) -> SyntheticFaces:
    order = rng.permutation(len(faces.label))
    new_row = np.empty(len(order) + 1, dtype=np.int64)
    new_row[order] = np.arange(len(order))
    new_row[NO_ORIGINAL] = NO_ORIGINAL
    fields = pd.DataFrame({"split": faces.split, "label": faces.label, "path": ""})
    truth = pd.DataFrame(
        {
            "true_label": faces.true_label,
            "defect": faces.defect,
            "original_row": new_row[np.array(faces.original_row, dtype=np.int64)],
        }
    )
    truth = truth.iloc[order].reset_index(drop=True)
    truth.insert(0, "row", np.arange(len(order)))
    return SyntheticFaces(
        images=np.concatenate(faces.images)[order],
        manifest_fields=fields.iloc[order].reset_index(drop=True),
        truth=truth,
    )


def _share(fraction: float, count: int) -> int:
    return round(fraction * count)
