from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import rotate
from scipy.spatial.distance import mahalanobis

from fer_models.cleaning.config import FACE_SCORE_LIMITS
from fer_models.errors import DataError
from fer_models.faces.gradients import NUM_FEATURES, gradient_features
from fer_models.quality import face_warps, non_faces
from fer_models.quality.face_warps import WARPS
from fer_models.quality.non_faces import face_scores
from fer_models.synthetic.config import SyntheticConfig
from fer_models.synthetic.generate import BLANK, NON_FACE, SyntheticFaces, generate_synthetic

BALANCED, STRICT = FACE_SCORE_LIMITS["balanced"], FACE_SCORE_LIMITS["strict"]
REAL_DATA = Path(__file__).parents[4] / "shared" / "data" / "fer2013_train_public.parquet"


@pytest.fixture(scope="module")
def synthetic() -> SyntheticFaces:
    return generate_synthetic(SyntheticConfig(num_images=1000), seed=11)


@pytest.fixture(scope="module")
def reference(synthetic: SyntheticFaces) -> np.ndarray:
    train = (synthetic.manifest_fields["split"] == "train").to_numpy()
    return np.flatnonzero(train & (synthetic.truth["defect"] != "exact_duplicate").to_numpy())


@pytest.fixture(scope="module")
def scores(synthetic: SyntheticFaces, reference: np.ndarray) -> np.ndarray:
    return face_scores(synthetic.images, reference)


def test_planted_non_faces_and_blank_frames_are_found(
    synthetic: SyntheticFaces, scores: np.ndarray
) -> None:
    truth = np.isin(synthetic.truth["defect"], [NON_FACE, BLANK])
    found = scores < BALANCED
    assert truth.sum() >= 15
    assert found[truth].mean() >= 0.95
    assert truth[found].mean() >= 0.9


def test_scores_lie_between_0_and_1_with_4_decimals(scores: np.ndarray) -> None:
    assert scores.dtype == np.float64
    assert 0 < scores.min() < BALANCED < STRICT < scores.max() <= 1
    assert (scores == np.round(scores, 4)).all()


def test_same_scores_in_any_order_and_block_size(
    synthetic: SyntheticFaces,
    reference: np.ndarray,
    scores: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fer_models.faces.gradients._BLOCK", 77)
    monkeypatch.setattr("fer_models.quality.non_faces._BLOCK", 101)
    again = face_scores(synthetic.images[::-1], len(scores) - 1 - reference)
    assert again[::-1] == pytest.approx(scores, abs=0.0002)


def test_a_few_percent_of_non_faces_in_the_reference_change_little(
    synthetic: SyntheticFaces, scores: np.ndarray, reference: np.ndarray
) -> None:
    defective = np.isin(synthetic.truth["defect"], [NON_FACE, BLANK])
    pure = face_scores(synthetic.images, reference[~defective[reference]])
    assert np.abs(pure - scores)[~defective].max() < 0.1
    assert (scores[defective] < BALANCED).mean() >= 0.95


def test_upside_down_faces_score_low(
    synthetic: SyntheticFaces, reference: np.ndarray, scores: np.ndarray
) -> None:
    count = 60
    upside_down = synthetic.images[reference[:count], ::-1]
    images = np.concatenate([synthetic.images, upside_down])
    assert np.median(face_scores(images, reference)[-count:]) < np.quantile(scores, 0.05)


def test_closeness_is_the_negative_squared_mahalanobis_distance() -> None:
    rng = np.random.default_rng(2)
    features = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5))
    rows = np.arange(200)
    inner = rows
    for _ in range(3):
        covariance = np.cov(features[inner].T, bias=True)
        precision = np.linalg.inv(covariance + np.trace(covariance) / 5 * np.eye(5))
        mean = features[inner].mean(axis=0)
        expected = np.array([-(mahalanobis(row, mean, precision) ** 2) for row in features])
        inner = rows[expected >= np.quantile(expected, 0.03)]
    assert non_faces._closeness(features, rows, 1.0) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("count", [1, 2, 30])
def test_a_tiny_reference_is_enough(synthetic: SyntheticFaces, count: int) -> None:
    found = face_scores(synthetic.images[:40], np.arange(count))
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()


def test_an_empty_reference_is_rejected(synthetic: SyntheticFaces) -> None:
    with pytest.raises(DataError, match="at least 1 reference image"):
        face_scores(synthetic.images[:3], np.arange(0))


def test_gradients_fall_into_the_right_orientation_bins() -> None:
    ramp = np.tile(np.arange(0, 240, 5, dtype=np.uint8), (48, 1))
    images = np.stack([ramp, ramp.T, np.full((48, 48), 90, dtype=np.uint8)])
    features = gradient_features(images).reshape(3, 16, 9)
    assert features.reshape(3, -1).shape[1] == NUM_FEATURES
    assert (features[0].argmax(axis=1) == 0).all()  # brightness grows to the right
    assert set(features[1].argmax(axis=1)) <= {4, 5}  # downwards: between bins 4 and 5
    assert (features[2] == 0).all()


def test_gradients_ignore_brightness(synthetic: SyntheticFaces) -> None:
    dark = np.clip(synthetic.images[:9], 0, 200)
    assert (gradient_features(dark) == gradient_features(dark + np.uint8(55))).all()


def test_warps_are_reproducible_and_change_the_image(synthetic: SyntheticFaces) -> None:
    images = synthetic.images[:30]
    for warp in WARPS:
        first, second = (warp(images, np.random.default_rng(4)) for _ in range(2))
        assert (first == second).all()
        assert first.shape == images.shape
        assert (first != images).any(axis=(1, 2)).all()


@pytest.mark.parametrize("degrees", [90, 30, -120])
def test_rotation_agrees_with_scipy(degrees: int) -> None:
    down, across = np.mgrid[:48, :48]
    image = (100 + 60 * np.sin(down / 7) * np.cos(across / 9)).astype(np.uint8)
    no_shift = np.zeros((1, 2), dtype=np.int64)
    rng = np.random.default_rng(0)
    found = face_warps._warp(image[None], np.array([degrees]), np.array([100]), no_shift, rng)
    expected = rotate(image, -degrees, reshape=False, order=1).astype(int)
    inside = np.hypot(down - 23.5, across - 23.5) < 22
    assert np.abs(found[0] - expected)[inside].mean() < 2


@pytest.mark.real_data
def test_the_lowest_scoring_real_images_are_non_faces() -> None:
    if not REAL_DATA.exists():
        pytest.skip(f"no real FER2013 images at {REAL_DATA}")
    import io

    import pandas as pd
    from PIL import Image

    table = pd.read_parquet(REAL_DATA, columns=["png", "ferplus_NF"]).drop_duplicates("png")[::3]
    images = np.stack([np.asarray(Image.open(io.BytesIO(png))) for png in table["png"]])
    has_contrast = images.reshape(len(images), -1).std(axis=1) >= 2
    images, truth = images[has_contrast], table["ferplus_NF"].to_numpy()[has_contrast] >= 5
    found = face_scores(images, np.arange(len(images)))
    worst = found < BALANCED
    assert worst.sum() >= 10
    assert truth[worst].mean() >= 0.85
    assert truth[np.argsort(found, kind="stable")[:30]].mean() >= 0.5
