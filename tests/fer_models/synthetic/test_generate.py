"""Synthetic data is reproducible, and its ground truth matches the planted defects."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_models.dataset.snapshot import SPLITS
from fer_models.labels import Expression
from fer_models.synthetic.config import SyntheticConfig
from fer_models.synthetic.generate import (
    BLANK,
    EXACT_DUPLICATE,
    LABEL_ERROR,
    LEAK,
    NEAR_DUPLICATE,
    NO_ORIGINAL,
    NON_FACE,
    SyntheticFaces,
    generate_synthetic,
)

SMALL = SyntheticConfig(num_images=140)
# From the first release. A change means that every user's synthetic data set changes.
SMALL_SHA256 = "ff22bff5129d2c3a93a0ad09c9b85aa329073a601d20c3b4d22984347988f605"

HASH_SCRIPT = """
import hashlib
from fer_models.synthetic.config import SyntheticConfig
from fer_models.synthetic.generate import generate_synthetic
faces = generate_synthetic(SyntheticConfig(num_images=140), seed=3)
tables = faces.manifest_fields.to_csv() + faces.truth.to_csv()
print(hashlib.sha256(faces.images.tobytes() + tables.encode()).hexdigest())
"""


def sha256_of(faces: SyntheticFaces) -> str:
    tables = faces.manifest_fields.to_csv() + faces.truth.to_csv()
    return hashlib.sha256(faces.images.tobytes() + tables.encode()).hexdigest()


def rows_with(faces: SyntheticFaces, defect: str) -> np.ndarray:
    return np.flatnonzero((faces.truth["defect"] == defect).to_numpy())


def test_bytes_are_the_same_in_another_process_with_fewer_cpu_features() -> None:
    # numpy then runs other code: without fused multiply-add and with shorter vectors.
    limited = {**os.environ, "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"}
    other = subprocess.run(
        [sys.executable, "-c", HASH_SCRIPT], capture_output=True, text=True, check=True, env=limited
    )
    assert other.stdout.strip() == sha256_of(generate_synthetic(SMALL, seed=3))


def test_bytes_are_the_same_on_every_machine() -> None:
    assert sha256_of(generate_synthetic(SMALL, seed=3)) == SMALL_SHA256


def test_another_seed_gives_other_faces() -> None:
    one, two = generate_synthetic(SMALL, seed=1), generate_synthetic(SMALL, seed=2)
    assert not np.array_equal(one.images, two.images)


def test_the_global_generator_is_not_used() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    generate_synthetic(SMALL, seed=0)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_shapes_and_columns(synthetic: SyntheticFaces) -> None:
    count = len(synthetic.images)
    assert synthetic.images.shape == (count, 48, 48)
    assert synthetic.images.dtype == np.uint8
    assert list(synthetic.manifest_fields.columns) == ["split", "label", "path"]
    assert list(synthetic.truth.columns) == ["row", "true_label", "defect", "original_row"]
    assert synthetic.truth["row"].tolist() == list(range(count))
    assert len(synthetic.manifest_fields) == count
    assert synthetic.manifest_fields["label"].between(0, 6).all()


def test_numbers_follow_the_config(synthetic: SyntheticFaces) -> None:
    counts = synthetic.truth["defect"].value_counts()
    assert counts[EXACT_DUPLICATE] == 20
    assert counts[NEAR_DUPLICATE] == 10
    assert counts[LEAK] == 10
    assert counts[BLANK] == 5
    assert counts[NON_FACE] == 10
    assert counts[LABEL_ERROR] == 30
    assert len(synthetic.images) == 1000 + 20 + 10 + 10 + 5 + 10
    assert (synthetic.manifest_fields["split"] == "test").sum() == 150


def test_every_split_has_the_same_imbalance(synthetic: SyntheticFaces) -> None:
    fields = synthetic.manifest_fields
    for split in SPLITS:
        shares = fields.loc[fields["split"] == split, "label"].value_counts(normalize=True)
        assert shares.idxmax() == Expression.HAPPY
        assert shares.idxmin() == Expression.DISGUST
        assert shares[Expression.DISGUST] > 0.04
        assert shares[Expression.HAPPY] == pytest.approx(0.24, abs=0.03)


def test_exact_duplicates_are_equal_within_a_split(synthetic: SyntheticFaces) -> None:
    fields = synthetic.manifest_fields
    rows = rows_with(synthetic, EXACT_DUPLICATE)
    originals = synthetic.truth["original_row"].to_numpy()[rows]
    assert (synthetic.images[rows] == synthetic.images[originals]).all()
    assert (fields["split"].to_numpy()[rows] == fields["split"].to_numpy()[originals]).all()
    assert (fields["label"].to_numpy()[rows] == fields["label"].to_numpy()[originals]).all()


def test_near_duplicates_differ_slightly_and_are_in_training(synthetic: SyntheticFaces) -> None:
    rows = rows_with(synthetic, NEAR_DUPLICATE)
    originals = synthetic.truth["original_row"].to_numpy()[rows]
    gap = synthetic.images[rows].astype(int) - synthetic.images[originals].astype(int)
    difference = np.abs(gap).mean(axis=(1, 2))
    assert (difference > 0).all()
    assert (difference < 25).all()
    assert set(synthetic.manifest_fields["split"].to_numpy()[rows]) == {"train"}


def test_leaks_are_held_out_faces_in_training(synthetic: SyntheticFaces) -> None:
    rows = rows_with(synthetic, LEAK)
    originals = synthetic.truth["original_row"].to_numpy()[rows]
    splits = synthetic.manifest_fields["split"].to_numpy()
    assert (synthetic.images[rows] == synthetic.images[originals]).all()
    assert set(splits[rows]) == {"train"}
    assert set(splits[originals]) == {"validation", "test"}


def test_blank_images_have_no_contrast_and_are_unique(synthetic: SyntheticFaces) -> None:
    blank = synthetic.images[rows_with(synthetic, BLANK)].reshape(-1, 48 * 48)
    others = np.delete(synthetic.images, rows_with(synthetic, BLANK), axis=0).reshape(-1, 48 * 48)
    assert blank.std(axis=1).max() < 1
    assert others.std(axis=1).min() > 4
    assert len(np.unique(blank, axis=0)) == len(blank)


def test_wrong_labels_are_in_training_only(synthetic: SyntheticFaces) -> None:
    wrong = (synthetic.manifest_fields["label"] != synthetic.truth["true_label"]) & synthetic.truth[
        "true_label"
    ].ge(0)
    assert np.flatnonzero(wrong).tolist() == rows_with(synthetic, LABEL_ERROR).tolist()
    assert set(synthetic.manifest_fields.loc[wrong, "split"]) == {"train"}


def test_the_test_split_has_no_defects(synthetic: SyntheticFaces) -> None:
    in_test = (synthetic.manifest_fields["split"] == "test").to_numpy()
    assert (synthetic.truth["defect"].to_numpy()[in_test] == "").all()
    assert len(np.unique(synthetic.images[in_test], axis=0)) == in_test.sum()


def test_only_copies_have_an_original(synthetic: SyntheticFaces) -> None:
    copies = synthetic.truth["defect"].isin([EXACT_DUPLICATE, NEAR_DUPLICATE, LEAK])
    assert (synthetic.truth["original_row"].ne(NO_ORIGINAL) == copies).all()
    originals = synthetic.truth.loc[copies, "original_row"]
    assert originals.is_unique
    assert (synthetic.truth["defect"].to_numpy()[originals] == "").all()


def test_faces_are_shuffled(synthetic: SyntheticFaces) -> None:
    labels = synthetic.manifest_fields["label"].to_numpy()
    assert np.abs(np.corrcoef(np.arange(len(labels)), labels)[0, 1]) < 0.1


@settings(max_examples=4)
@given(
    num_images=st.integers(140, 300),
    validation=st.floats(0.1, 0.3),
    test=st.floats(0.1, 0.3),
    copies=st.floats(0.0, 0.19),
)
def test_any_valid_config_is_generated(
    num_images: int, validation: float, test: float, copies: float
) -> None:
    config = SyntheticConfig(
        num_images=num_images,
        validation_fraction=validation,
        test_fraction=test,
        exact_duplicate_fraction=copies,
        near_duplicate_fraction=copies,
        leak_fraction=copies,
        label_error_fraction=copies,
    )
    faces = generate_synthetic(config, seed=0)
    assert (faces.manifest_fields["split"] == "test").sum() == round(test * num_images)
    assert set(faces.manifest_fields["label"]) == set(range(7))
