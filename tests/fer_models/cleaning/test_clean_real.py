from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from fer_models.cleaning.clean import clean_snapshot
from fer_models.cleaning.config import CleaningConfig
from fer_models.dataset.snapshot import KEPT, open_snapshot, open_tables
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import ingest_sources
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore

Pixels = npt.NDArray[np.uint8]
pytestmark = [pytest.mark.real_data, pytest.mark.slow]

BALANCED, STRICT = CleaningConfig(), CleaningConfig(policy="strict")
REAL_DATA = Path(__file__).parents[4] / "shared" / "data" / "fer2013_train_public.parquet"


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[ArtifactStore, SnapshotRef]:
    if not REAL_DATA.exists():
        pytest.skip(f"no real FER2013 images at {REAL_DATA}")
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("real"))))
    return store, ingest_sources(store, DataConfig(sources=(str(REAL_DATA),)), 0)


@pytest.fixture(scope="session")
def strict(real: tuple[ArtifactStore, SnapshotRef]) -> tuple[ArtifactStore, SnapshotRef]:
    store, snapshot = real
    return store, clean_snapshot(store, snapshot, STRICT)


def test_all_public_test_images_in_training_are_found(
    real: tuple[ArtifactStore, SnapshotRef],
) -> None:
    store, snapshot = real
    raw = open_snapshot(store, snapshot).manifest
    public = raw[raw["split"] == "validation"]
    in_both = public["pixel_sha256"].isin(raw.loc[raw["split"] == "train", "pixel_sha256"])
    assert int(in_both.sum()) == 279
    manifest = open_snapshot(store, clean_snapshot(store, snapshot, BALANCED)).manifest
    leaks = manifest[manifest["reason"] == "leak"]
    assert set(leaks["split"]) == {"train"}
    assert set(leaks["pixel_sha256"]) == set(public.loc[in_both, "pixel_sha256"])
    kept = manifest[manifest["status"] == KEPT]
    train = kept.loc[kept["split"] == "train", "pixel_sha256"]
    assert train.is_unique
    assert not train.isin(public["pixel_sha256"]).any()


def test_strict_cleaning_removes_real_images_voted_not_a_face(
    strict: tuple[ArtifactStore, SnapshotRef],
) -> None:
    manifest = open_snapshot(*strict).manifest
    train = manifest[(manifest["split"] == "train") & (manifest["status"] == KEPT)]
    assert train["votes_nf"].max() < STRICT.min_not_face_votes
    near = manifest[manifest["reason"] == "near_duplicate"]
    assert set(near["split"]) == {"train"}
    # Of 2,418 near duplicates in training, exact copies and conflicts are quarantined before.
    assert 2000 < len(near) < 2418


def test_near_duplicates_of_real_faces_correlate_with_their_originals(
    strict: tuple[ArtifactStore, SnapshotRef],
) -> None:
    decisions = open_tables(*strict)["decisions"]
    near = decisions[decisions["reason"] == "near_duplicate"].sample(200, random_state=0)
    row = dict(zip(decisions["image_id"], range(len(decisions)), strict=True))
    images = open_snapshot(*strict).images

    def correlations(originals: pd.Series) -> list[float]:
        pairs = zip(near["image_id"], originals, strict=True)
        return [_shifted_correlation(images[row[one]], images[row[other]]) for one, other in pairs]

    similarity, unrelated = correlations(near["related_id"]), correlations(near["related_id"][::-1])
    # Whole-pixel shifts only: the rule aligns scaled copies better than this reference.
    assert np.quantile(similarity, 0.1) > np.quantile(unrelated, 0.99)
    assert np.median(similarity) > 0.95


def _shifted_correlation(copy: Pixels, original: Pixels) -> float:
    """Highest correlation of one image's centre with the other image, shifted and mirrored."""
    middle = copy[6:42, 6:42].ravel()
    windows = [
        picture[top : top + 36, left : left + 36].ravel()
        for picture in (original, original[:, ::-1])
        for top in range(3, 10)
        for left in range(3, 10)
    ]
    return float(max(np.corrcoef(middle, window)[0, 1] for window in windows))
