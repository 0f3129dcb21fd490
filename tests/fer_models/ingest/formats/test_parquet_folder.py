"""A folder of parquet files is one source, as a download from Hugging Face's hub."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_models.dataset.snapshot import KEPT, DatasetSnapshot, open_snapshot
from fer_models.errors import DataError
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import fingerprint_sources, ingest_sources
from fer_models.labels import UNLABELLED
from fer_models.storage.store import ArtifactStore
from tests.fer_models.ingest.builders import (
    image_bytes,
    pixel_text,
    random_images,
    write_fer2013,
    write_folder,
    write_lines,
)
from tests.fer_models.ingest.formats.test_datasets_parquet import LABELS, NAMES, write

IMAGES = random_images(6)
TRAIN = [f"data/train-{number:05d}-of-00002.parquet" for number in range(2)]
TEST = "data/test-00000-of-00001.parquet"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six images a file; the second file numbers its classes in another order."""
    root = tmp_path / "faces"
    (root / "data").mkdir(parents=True)
    (root / "README.md").write_text("a data set")
    write(root / TRAIN[0], NAMES)
    write(root / TRAIN[1], ["happy", "sad", "fear"])
    write(root / TEST, NAMES)
    return root


def ingested(store: ArtifactStore, *sources: Path, **settings: Any) -> DatasetSnapshot:
    config = DataConfig.model_validate({"sources": [str(one) for one in sources], **settings})
    return open_snapshot(store, ingest_sources(store, config, 0))


def refusal(store: ArtifactStore, *sources: Path, **settings: Any) -> str:
    with pytest.raises(DataError) as caught:
        ingested(store, *sources, **settings)
    return "\n".join([caught.value.message, *caught.value.problems])


def names_of(snapshot: DatasetSnapshot) -> list[str]:
    return [snapshot.classes.names[label] for label in snapshot.manifest["label"]]


def test_all_files_are_read_in_order(store: ArtifactStore, folder: Path) -> None:
    snapshot = ingested(store, folder)
    table = snapshot.manifest
    assert table["path"].tolist() == [TEST] * 6 + [TRAIN[0]] * 6 + [TRAIN[1]] * 6
    assert table["split"].tolist() == ["test"] * 6 + ["train"] * 12
    assert table["row"].tolist() == list(range(18))
    assert table["image_id"].tolist()[::17] == ["faces/000000", "faces/000017"]
    np.testing.assert_array_equal(snapshot.images, np.concatenate([IMAGES] * 3))
    first = [NAMES[label] for label in LABELS]
    second = [("happy", "sad", "fear")[label] for label in LABELS]
    assert names_of(snapshot) == first + first + second


def test_it_equals_its_files_as_sources(store: ArtifactStore, folder: Path) -> None:
    whole = ingested(store, folder)
    parts = ingested(store, *(folder / name for name in (TEST, *TRAIN)))
    np.testing.assert_array_equal(whole.images, parts.images)
    assert names_of(whole) == names_of(parts)
    assert whole.manifest["split"].tolist() == parts.manifest["split"].tolist()


def test_a_missing_file_is_named(store: ArtifactStore, folder: Path) -> None:
    (folder / TRAIN[1]).unlink()
    text = refusal(store, folder)
    assert f"1 of 2 files are missing: {TRAIN[1]}; download them, or name one of" in text
    assert len(ingested(store, folder / TRAIN[0]).images) == 6  # as the message says


def test_files_with_other_columns_are_refused(store: ArtifactStore, folder: Path) -> None:
    write(folder / "data/validation-00000-of-00001.parquet", NAMES, valence=[0.5] * 6)
    text = refusal(store, folder)
    assert f"validation-00000-of-00001.parquet: expected the columns of {TEST}" in text
    files = sorted((folder / "data").iterdir())
    assert len(ingested(store, *files).images) == 24  # as the message says


def test_a_bad_row_is_named_by_file_and_row(store: ArtifactStore, folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(folder / TRAIN[0])
    images = [*table["image"].to_pylist()[:5], {"bytes": b"no image", "path": "5.png"}]
    pq.write_table(table.set_column(0, "image", pa.array(images)), folder / TRAIN[0])
    assert f"{TRAIN[0]} row 5: not a readable image" in refusal(store, folder)
    snapshot = ingested(store, folder, quarantine_bad_rows=True)
    assert len(snapshot.images) == 17
    assert 11 not in snapshot.manifest["row"].tolist()


def test_the_split_is_that_of_folders_too(store: ArtifactStore, tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        (tmp_path / "faces/default" / split).mkdir(parents=True)
        write(tmp_path / "faces/default" / split / "0000.parquet", NAMES)
    splits = ingested(store, tmp_path / "faces").manifest["split"].value_counts().to_dict()
    assert splits == {"train": 6, "validation": 6, "test": 6}


def test_the_name_of_a_file_is_nearer_than_its_folders(
    store: ArtifactStore, tmp_path: Path
) -> None:
    names = {
        "test_run/train-00000-of-00001.parquet": "train",
        "test_run/validation-00000-of-00001.parquet": "validation",
        "train_data/test/0000.parquet": "test",
        "train_test/0000.parquet": "",
    }
    for name in names:
        (tmp_path / "faces" / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / "faces" / name, NAMES)
    table = ingested(store, tmp_path / "faces").manifest
    assert dict(zip(table["path"], table["split"], strict=True)) == names


def test_images_beside_a_parquet_file_are_a_folder_of_images(
    store: ArtifactStore, tmp_path: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = {f"images/{number}.png": image_bytes(IMAGES[number]) for number in range(4)}
    folder = write_folder(tmp_path / "faces", files)
    table = {"file_name": [*files], "label": ["happy", "sad", "happy", "sad"]}
    pq.write_table(pa.table(table), folder / "metadata.parquet")
    assert names_of(ingested(store, folder)) == ["happy", "sad", "happy", "sad"]


def test_the_fingerprint_changes_with_each_file(folder: Path) -> None:
    config = DataConfig(sources=(str(folder),))
    before = fingerprint_sources(config, 0)
    write(folder / TRAIN[1], NAMES)
    assert fingerprint_sources(config, 0) != before


def test_unlabelled_images_are_kept_and_counted_over_all_files(
    store: ArtifactStore, folder: Path
) -> None:
    write(folder / TEST, NAMES, label=[-1] * 6)
    write(folder / TRAIN[0], NAMES, label=[0, 1, 2, -1, -1, 0])
    snapshot = ingested(store, folder)
    table = snapshot.manifest
    assert table.loc[table["split"] == "test", "label"].tolist() == [UNLABELLED] * 6
    assert (table["label"] == UNLABELLED).sum() == 8
    assert set(table["status"]) == {KEPT}
    [source] = snapshot.info["label_sources"]
    assert source["scheme"] == "file"
    assert source["notes"] == [
        "8 of 18 images have no label: they are kept, but not used for training or evaluation"
    ]


def test_unlabelled_images_are_counted_as_those_of_a_challenge(
    store: ArtifactStore, tmp_path: Path
) -> None:
    test = write_lines(tmp_path / "test.csv", "pixels", [pixel_text(image) for image in IMAGES])
    snapshot = ingested(store, write_fer2013(tmp_path / "train.csv", IMAGES), test)
    [train, unlabelled] = snapshot.info["label_sources"]
    assert train["notes"] == []
    assert unlabelled["notes"][0].startswith("6 of 6 images have no label: they are kept")
