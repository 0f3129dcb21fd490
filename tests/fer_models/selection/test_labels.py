"""Decisions about chosen faces become training images with the person's label."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_models.cleaning.clean import clean_snapshot
from fer_models.cleaning.config import CleaningConfig
from fer_models.dataset.config import SplittingConfig
from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot, open_table
from fer_models.dataset.split import split_snapshot
from fer_models.errors import DataError
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import LABELLED, ingest_sources
from fer_models.labelled.versions import current_labels, labels_history, open_labels
from fer_models.labels import CLASS_NAMES, LABELLED_SOURCE
from fer_models.selection.choose import choose_faces
from fer_models.selection.config import SelectionConfig
from fer_models.selection.labels import apply_labels
from fer_models.selection.stored import open_chosen
from fer_models.storage.refs import LabelledRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import draw_faces
from tests.fer_models.inference.builders import stored_network, write_picture

FACES = draw_faces(np.arange(8) % 7, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, face in enumerate(FACES):
        write_picture(tmp_path / "new" / f"{number}.png", face)
    return tmp_path / "new"


@pytest.fixture
def chosen(store: ArtifactStore, folder: Path) -> pd.DataFrame:
    """All eight faces, in the order of their files."""
    model = stored_network(store)
    selection = choose_faces(store, [str(folder)], model.id, SelectionConfig(count=8))
    return open_chosen(store, selection.ref).sort_values("path")


@pytest.fixture
def data(tmp_path: Path) -> DataConfig:
    """Faces without splits: ten of each class."""
    labels = np.arange(70) % 7
    for number, face in enumerate(draw_faces(labels, 11)):
        write_picture(tmp_path / "data" / CLASS_NAMES[labels[number]] / f"{number}.png", face)
    return DataConfig(sources=(str(tmp_path / "data"),))


def _file(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "decisions.csv"
    path.write_text("\n".join(["image_id,pixel_sha256,action,label,note", *lines, ""]))
    return path


def _snapshot(store: ArtifactStore, data: DataConfig, labelled: LabelledRef) -> DatasetSnapshot:
    """Ingested, cleaned and split."""
    raw = ingest_sources(store, data, 0, labelled)
    cleaned = clean_snapshot(store, raw, CleaningConfig())
    config = SplittingConfig(strategy="stratified", test_fraction=0.3, validation_fraction=0.3)
    return open_snapshot(store, split_snapshot(store, cleaned, config, 0))


def test_labelled_faces_become_training_images(
    store: ArtifactStore, chosen: pd.DataFrame, data: DataConfig, tmp_path: Path
) -> None:
    ids = chosen["face_id"].tolist()
    decided = [
        f"{ids[0]},,relabel,Happiness,smiles",
        f"{ids[1]},,drop,,",
        f"{ids[2]},,relabel,sad,",
    ]
    applied = apply_labels(store, _file(tmp_path, *decided))
    assert (applied.labelled, applied.not_a_face) == (2, 1)
    assert applied.version is not None
    plain = open_snapshot(store, ingest_sources(store, data, 0))
    opened = _snapshot(store, data, applied.version)
    added = opened.manifest[opened.manifest["source"] == LABELLED_SOURCE]
    assert len(opened.manifest) == len(plain.manifest) + 2
    assert added["split"].tolist() == ["train", "train"]
    assert added["status"].tolist() == ["kept", "kept"]
    assert [CLASS_NAMES[label] for label in added["label"]] == ["happy", "sad"]
    np.testing.assert_array_equal(opened.images[added.index], FACES[[0, 2]])
    provenance = open_table(store, opened.ref, LABELLED)
    assert provenance["image_id"].tolist() == added["image_id"].tolist()
    assert provenance["face_id"].tolist() == [ids[0], ids[2]]
    assert provenance["model"].tolist() == ["small-0", "small-0"]
    assert provenance["note"].tolist() == ["smiles", ""]


@pytest.mark.parametrize("strategy", ["source", "stratified"])
def test_labelled_faces_change_neither_validation_nor_test(
    store: ArtifactStore, chosen: pd.DataFrame, data: DataConfig, tmp_path: Path, strategy: str
) -> None:
    ids = chosen["face_id"]
    applied = apply_labels(store, _file(tmp_path, *(f"{one},,relabel,fear," for one in ids)))
    config = SplittingConfig.model_validate({"strategy": strategy, "test_fraction": 0.3})
    held_out = []
    for labelled in (None, applied.version):
        raw = ingest_sources(store, data, 0, labelled)
        manifest = open_snapshot(store, split_snapshot(store, raw, config, 0)).manifest
        is_added = manifest["source"] == LABELLED_SOURCE
        assert (manifest.loc[is_added, "split"] == "train").all()
        held_out.append(
            {split: int((manifest["split"] == split).sum()) for split in ("validation", "test")}
        )
    assert held_out[0] == held_out[1]
    assert held_out[0]["test"] > 0


def test_copies_of_test_images_are_caught(
    store: ArtifactStore, chosen: pd.DataFrame, tmp_path: Path
) -> None:
    ids = chosen["face_id"].tolist()
    near = np.clip(FACES[1].astype(np.int64) + 4, 0, 255).astype(np.uint8)
    rest = draw_faces(np.arange(42) % 7, 12)
    for split, images in (("train", rest), ("test", [FACES[0], near, *rest[:0]])):
        for number, face in enumerate(images):
            name = CLASS_NAMES[number % 7]
            write_picture(tmp_path / "data" / split / name / f"{number}.png", face)
    decided = _file(tmp_path, *(f"{one},,relabel,angry," for one in ids[:3]))
    version = apply_labels(store, decided).version
    raw = ingest_sources(store, DataConfig(sources=(str(tmp_path / "data"),)), 0, version)
    manifest = open_snapshot(store, clean_snapshot(store, raw, CleaningConfig())).manifest
    added = manifest[manifest["source"] == LABELLED_SOURCE]
    assert added["reason"].tolist() == ["leak", "near_duplicate", ""]


def test_versions_add_change_and_withdraw(
    store: ArtifactStore, chosen: pd.DataFrame, tmp_path: Path
) -> None:
    first, second, third, *_ = chosen["face_id"].tolist()
    apply_labels(store, _file(tmp_path, f"{second},,relabel,sad,", f"{third},,drop,,"))
    apply_labels(store, _file(tmp_path, f"{second},,relabel,sad,", f"{third},,drop,,"))
    apply_labels(store, _file(tmp_path, f"{first},,relabel,fear,", f"{third},,relabel,happy,"))
    applied = apply_labels(store, _file(tmp_path, f"{second},,reset,,"))
    assert applied.version is not None
    table = open_labels(store, applied.version)
    assert table["face_id"].tolist() == [third, first]
    assert table["number"].tolist() == [1, 2]  # numbers, and so image ids, never change
    changes = [(entry.added, entry.changed, entry.withdrawn) for entry in labels_history(store)]
    assert changes == [(2, 0, 0), (1, 1, 0), (0, 0, 1)]
    assert not store.faults(applied.version, deep=True)


def test_labelled_faces_are_not_chosen_again(
    store: ArtifactStore, chosen: pd.DataFrame, folder: Path, tmp_path: Path
) -> None:
    ids = chosen["face_id"].tolist()
    apply_labels(store, _file(tmp_path, f"{ids[0]},,relabel,sad,", f"{ids[1]},,drop,,"))
    facts = choose_faces(store, [str(folder)], "small-0").facts
    assert (facts["known"], facts["chosen"]) == (2, 6)


def test_all_wrong_decisions_are_reported_and_nothing_is_published(
    store: ArtifactStore, chosen: pd.DataFrame, tmp_path: Path
) -> None:
    ids = chosen["face_id"].tolist()
    lines = [
        f"{ids[0]},,relabel,sad,",
        f"{ids[1]},,relabel,sleepy,",
        f"{ids[2]},,keep,,",
        f"{ids[3]},{'0' * 64},drop,,",
        f"{ids[0].partition('/')[0]}/999999,,drop,,",
        "fer2013/000001,,drop,,",
    ]
    with pytest.raises(DataError) as caught:
        apply_labels(store, _file(tmp_path, *lines))
    problems = caught.value.problems
    expected = ("sleepy", "no label to keep", "other pixels", "no such face", "task clean")
    assert len(problems) == len(expected)
    for problem, text in zip(problems, expected, strict=True):
        assert text in problem
    assert current_labels(store) is None


def test_a_label_that_the_data_set_lacks_is_quarantined(
    store: ArtifactStore, chosen: pd.DataFrame, data: DataConfig, tmp_path: Path
) -> None:
    version = apply_labels(
        store, _file(tmp_path, f"{chosen['face_id'].iloc[0]},,relabel,fear,")
    ).version
    dropped = data.model_copy(update={"classes": {"fear": None}})
    opened = open_snapshot(store, ingest_sources(store, dropped, 0, version))
    [row] = opened.manifest[opened.manifest["source"] == LABELLED_SOURCE].to_dict("records")
    assert (row["status"], row["reason"], row["label"]) == ("quarantined", "dropped_class", -1)


def test_the_picture_is_read_in_the_format_of_the_data_set(
    store: ArtifactStore, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (112, 112, 3), dtype=np.uint8)
    write_picture(tmp_path / "new" / "a.png", Image.fromarray(pixels))
    model = stored_network(store)
    selection = choose_faces(store, [str(tmp_path / "new")], model.id)
    [face_id] = open_chosen(store, selection.ref)["face_id"]
    version = apply_labels(store, _file(tmp_path, f"{face_id},,relabel,sad,")).version
    for number in range(2):
        name = CLASS_NAMES[3 + number]
        write_picture(tmp_path / "data" / name / "1.png", np.roll(pixels, number + 1, axis=0))
    config = DataConfig(sources=(str(tmp_path / "data"),), image_size_px=112, channels=3)
    opened = open_snapshot(store, ingest_sources(store, config, 0, version))
    np.testing.assert_array_equal(opened.images[-1], pixels)
