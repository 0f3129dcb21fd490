from pathlib import Path

import pytest

from fer_models.data.clean import clean_snapshot
from fer_models.data.config import CleaningConfig, DataConfig
from fer_models.data.ingest import ingest_sources
from fer_models.data.snapshot import KEPT, open_snapshot
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore

BALANCED, STRICT = CleaningConfig(), CleaningConfig(policy="strict")
REAL_DATA = Path(__file__).parents[4] / "shared" / "data" / "fer2013_train_public.parquet"


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[ArtifactStore, SnapshotRef]:
    if not REAL_DATA.exists():
        pytest.skip(f"no real FER2013 images at {REAL_DATA}")
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("real"))))
    return store, ingest_sources(store, DataConfig(sources=(str(REAL_DATA),)), 0)


@pytest.mark.real_data
@pytest.mark.slow
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
    assert kept["pixel_sha256"].is_unique


@pytest.mark.real_data
@pytest.mark.slow
def test_strict_cleaning_of_real_faces_removes_what_taggers_call_no_face(
    real: tuple[ArtifactStore, SnapshotRef],
) -> None:
    store, snapshot = real
    manifest = open_snapshot(store, clean_snapshot(store, snapshot, STRICT)).manifest
    train = manifest[(manifest["split"] == "train") & (manifest["status"] == KEPT)]
    assert train["votes_nf"].max() < STRICT.min_not_face_votes
    near = manifest[manifest["reason"] == "near_duplicate"]
    assert 0 < len(near) < 0.05 * len(manifest)
