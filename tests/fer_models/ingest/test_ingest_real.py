"""The real FER2013 images, if they are next to the repository."""

from pathlib import Path

import numpy as np
import pytest

from fer_models.dataset.snapshot import open_snapshot
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import ingest_sources
from fer_models.storage.store import ArtifactStore
from tests.fer_models.ingest.builders import pixel_text, write_ferplus, write_lines

REAL = Path(__file__).parents[4] / "shared/data/fer2013_train_public.parquet"
USAGE = {"train": "Training", "validation": "PublicTest"}

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not REAL.exists(), reason=f"no real images at {REAL}"),
]


def test_the_real_images_have_the_published_counts_and_are_the_same_as_csv(
    store: ArtifactStore, tmp_path: Path
) -> None:
    ref = ingest_sources(store, DataConfig(sources=(str(REAL),)), seed=0)
    snapshot = open_snapshot(store, ref)
    info = snapshot.info
    assert info["num_images"] == info["kept"] == 32_298
    assert info["split_counts"] == {"train": 28_709, "validation": 3_589}
    assert snapshot.manifest["row"].tolist() == list(range(32_298))
    assert snapshot.manifest["votes_neutral"].between(0, 10).all()

    part = snapshot.manifest.iloc[28_000:29_000].reset_index(drop=True)
    images = snapshot.images[28_000:29_000]
    usage = [USAGE[split] for split in part["split"]]
    rows = zip(part["label"], images, usage, strict=True)
    lines = [f"{label},{pixel_text(image)},{name}" for label, image, name in rows]
    votes = part.filter(like="votes_").to_numpy()
    sources = (
        write_lines(tmp_path / "fer2013.csv", "emotion,pixels,Usage", lines),
        write_ferplus(tmp_path / "fer2013new.csv", usage, votes),
    )
    config = DataConfig(sources=tuple(str(source) for source in sources))
    again = open_snapshot(store, ingest_sources(store, config, seed=0))
    np.testing.assert_array_equal(again.images, images)
    same = [*part.filter(like="votes_").columns, "label", "split", "pixel_sha256"]
    assert again.manifest[same].equals(part[same])
