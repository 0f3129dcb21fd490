"""Advice in messages about data works: following it changes the outcome."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.errors import DataError
from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import ingest_sources
from fer_models.quality.config import ScoringConfig
from fer_models.quality.score import score_labels
from fer_models.storage.store import ArtifactStore
from tests.fer_models.ingest.builders import (
    fer2013_lines,
    pixel_text,
    random_images,
    write_folder,
    write_lines,
)

IMAGES = random_images(24)


def ingested(store: ArtifactStore, source: Path, **settings: Any) -> DatasetSnapshot:
    config = DataConfig.model_validate({"sources": [str(source)], **settings})
    return open_snapshot(store, ingest_sources(store, config, 0))


def refusal(store: ArtifactStore, source: Path, **settings: Any) -> str:
    with pytest.raises(DataError) as caught:
        ingested(store, source, **settings)
    return "\n".join([caught.value.message, *caught.value.problems])


def advised(text: str, setting: str) -> Any:
    """The value that a message proposes for `data.<setting>`."""
    found = re.search(rf"data\.{re.escape(setting)}=(\{{.*?\}}|\[.*?\]|[\w.-]+)", text)
    assert found, text
    return yaml.safe_load(found[1].rstrip("."))


def test_folders_with_numbers_are_read_with_the_first_scheme_that_is_named(
    store: ArtifactStore, tmp_path: Path
) -> None:
    files = {f"{number}/{number}.png": IMAGES[number] for number in range(1, 8)}
    folder = write_folder(tmp_path / "faces", files)
    scheme = advised(refusal(store, folder), "label_scheme")
    assert scheme == "rafdb"  # the only one with exactly these numbers
    assert len(ingested(store, folder, label_scheme=scheme).classes) == 7


def test_numbers_of_no_scheme_are_read_with_names(store: ArtifactStore, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "faces", {f"{n}/a.png": IMAGES[n] for n in (0, 1, 11)})
    assert "[first,second,...]" in refusal(store, folder)
    names = [f"mood {chr(97 + number)}" for number in range(12)]
    snapshot = ingested(store, folder, label_scheme=names)
    assert snapshot.classes.names == ("mood a", "mood b", "mood l")


def test_a_foreign_number_in_fer2013_is_read_with_a_scheme_of_the_message(
    store: ArtifactStore, tmp_path: Path
) -> None:
    lines = [*fer2013_lines(IMAGES), f"7,{pixel_text(IMAGES[0])},Training"]
    table = write_lines(tmp_path / "ck.csv", "emotion,pixels,Usage", lines)
    text = refusal(store, table)
    assert "this is not FER2013's numbering" in text
    for scheme in re.findall(r"(\w+) \(8 classes", text):
        assert len(ingested(store, table, label_scheme=scheme).classes) == 8


def test_labels_that_data_classes_lacks_are_dropped_or_merged_as_proposed(
    store: ArtifactStore, tmp_path: Path
) -> None:
    files = {f"{name}/{i}.png": IMAGES[i] for i, name in enumerate(("happy", "sad", "bored"))}
    folder = write_folder(tmp_path / "faces", files)
    text = refusal(store, folder, classes=["happy", "sad"])
    assert ingested(store, folder, classes=advised(text, "classes")).classes.names == (
        "happy",
        "sad",
    )
    merged = re.search(r"merge them with (\{.*\})", text)
    assert merged
    snapshot = ingested(store, folder, classes=yaml.safe_load(merged[1]))
    assert snapshot.manifest["label"].value_counts().to_dict() == {0: 2, 1: 1}


def test_class_folders_on_an_unclear_level_are_read_when_the_classes_are_named(
    store: ArtifactStore, tmp_path: Path
) -> None:
    files = {
        f"{person}/{mood}/{person}.png": IMAGES[3 * i + j]
        for i, person in enumerate(("ann", "bob", "cleo"))
        for j, mood in enumerate(("awake", "asleep"))
    }
    folder = write_folder(tmp_path / "faces", files)
    assert "data.classes=[" in refusal(store, folder)
    snapshot = ingested(store, folder, classes=["awake", "asleep"])
    assert np.bincount(snapshot.manifest["label"]).tolist() == [3, 3]


def test_bad_rows_are_quarantined_as_proposed(store: ArtifactStore, tmp_path: Path) -> None:
    lines = [*fer2013_lines(IMAGES), f"42,{pixel_text(IMAGES[0])},Training"]
    table = write_lines(tmp_path / "a.csv", "emotion,pixels,Usage", lines)
    assert "data.quarantine_bad_rows=true" in refusal(store, table)
    snapshot = ingested(store, table, quarantine_bad_rows=True)
    assert snapshot.info["reasons"] == {"bad_label": 1}


def test_a_class_that_is_too_small_for_the_folds_can_be_scored_with_fewer(
    store: ArtifactStore, tmp_path: Path
) -> None:
    files = {f"happy/{i}.png": IMAGES[i] for i in range(9)}
    files |= {f"bored/{i}.png": IMAGES[9 + i] for i in range(2)}
    raw = ingested(store, write_folder(tmp_path / "faces", files)).ref
    brief = {"training": {"epochs": 1}, "network": {"width": 0.25}, "repeats": 1}
    with pytest.raises(DataError, match=r"lower scoring\.folds"):
        score_labels(store, raw, ScoringConfig.model_validate({"folds": 5, **brief}), 0)
    scores = score_labels(store, raw, ScoringConfig.model_validate({"folds": 2, **brief}), 0)
    assert store.info(scores)["num_images"] == 11
