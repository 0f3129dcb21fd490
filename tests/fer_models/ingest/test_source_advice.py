"""Settings of `data` that messages about sources name: following them reads the images."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_models.campaign.pack import pack_snapshot
from fer_models.dataset.snapshot import UNASSIGNED, DatasetSnapshot, open_snapshot
from fer_models.errors import DataError
from fer_models.ingest.ingest import ingest_sources
from fer_models.ingest.read import ReadSource, read_sources
from fer_models.storage.store import ArtifactStore
from flows.recipes import load_config
from tests.fer_models.following import assigned
from tests.fer_models.ingest.builders import (
    image_bytes,
    pixel_text,
    random_images,
    write_folder,
    write_lines,
)
from tests.fer_models.ingest.layouts.table_sources import folder, labels_of, table_text

IMAGES = random_images(5)
NAMES = ("angry", "disgust", "fear", "happy", "sad")


def pixels(row: int) -> str:
    return pixel_text(IMAGES[row])


def read(path: Path, *settings: str) -> ReadSource:
    config = load_config("folder", settings).data.model_copy(update={"sources": (str(path),)})
    [one] = read_sources(config, seed=0)
    return one


def problem_of(path: Path, *settings: str) -> str:
    with pytest.raises(DataError) as caught:
        read(path, *settings)
    return "\n".join(caught.value.problems)


def two_columns(tmp_path: Path) -> Path:
    rows = [f"{name},{NAMES[i - 1]},{pixels(i)}" for i, name in enumerate(NAMES)]
    return write_lines(tmp_path / "two.csv", "label,class,pixels", rows)


def unknown_column(tmp_path: Path) -> Path:
    rows = [f"{name},{pixels(i)}" for i, name in enumerate(NAMES)]
    return write_lines(tmp_path / "unknown.csv", "mood,pixels", rows)


def contradicting_column(tmp_path: Path) -> Path:
    rows = [f"{i},{NAMES[i - 1]},{pixels(i)}" for i in range(len(NAMES))]
    return write_lines(tmp_path / "contra.csv", "emotion,emotion_name,pixels", rows)


def listed_twice(tmp_path: Path) -> Path:
    rows = [f"images/{i}.png,{name},{NAMES[i - 1]}" for i, name in enumerate(NAMES)]
    return folder(tmp_path, "\n".join(["path,label,class", *rows]))


@pytest.mark.parametrize(
    ("source", "settings", "labels"),
    [
        (two_columns, ["data.table.label=label"], [NAMES]),
        (unknown_column, ["data.table.label=mood", "data.table.label=none"], [NAMES, ("",) * 5]),
        (
            contradicting_column,
            ["data.table.label=emotion_name"],
            [tuple(NAMES[i - 1] for i in range(5))],
        ),
        (listed_twice, ["data.table.label=label"], [NAMES]),
    ],
)
def test_a_column_of_labels_is_read_by_each_setting_that_is_proposed(
    tmp_path: Path, source: object, settings: list[str], labels: list[tuple[str, ...]]
) -> None:
    path = source(tmp_path)  # type: ignore[operator]
    assert assigned(problem_of(path)) == settings
    for setting, expected in zip(settings, labels, strict=True):
        assert labels_of(read(path, setting)) == list(expected)


def test_numbers_that_contradict_names_are_read_with_the_numbering(tmp_path: Path) -> None:
    path = contradicting_column(tmp_path)
    assert "set data.label_scheme to the numbering" in problem_of(path)
    rotated = f"data.label_scheme=[{', '.join(NAMES[i - 1] for i in range(5))}]"
    assert labels_of(read(path, rotated)) == [NAMES[i - 1] for i in range(5)]


def test_a_list_without_a_column_of_labels_is_read_with_the_one_that_is_offered(
    tmp_path: Path,
) -> None:
    path = folder(tmp_path, table_text("path,mood"))
    text = problem_of(path, "data.table.path=labels.csv")
    offered = re.search(r"Name it with data\.table\.label: (\w+)", text)
    assert offered
    one = read(path, "data.table.path=labels.csv", f"data.table.label={offered[1]}")
    assert labels_of(one) == list(NAMES)


def wrong_usage(tmp_path: Path) -> Path:
    rows = [f"{i},{pixels(i)},{'Training' if i else 'Tuning'}" for i in range(5)]
    return write_lines(tmp_path / "usage.csv", "emotion,pixels,Usage", rows)


def wrong_split(tmp_path: Path) -> Path:
    names = [f"{name},{'train' if i else 'tuning'}" for i, name in enumerate(NAMES)]
    rows = [f"images/{i}.png,{name}" for i, name in enumerate(names)]
    return folder(tmp_path, "\n".join(["path,label,split", *rows]))


@pytest.mark.parametrize("source", [wrong_usage, wrong_split])
def test_a_column_of_wrong_splits_is_ignored_as_proposed(tmp_path: Path, source: object) -> None:
    path = source(tmp_path)  # type: ignore[operator]
    [proposed] = assigned(problem_of(path))
    assert proposed == "data.table.split=none"
    table = read(path, proposed).table
    assert table is not None
    assert set(table.fields["split"]) == {UNASSIGNED}


def test_images_are_kept_as_they_are_by_the_size_that_a_note_names(tmp_path: Path) -> None:
    small = IMAGES[:, ::2, ::2]
    rows = [f"{i},{pixel_text(small[i])}" for i in range(5)]
    path = write_lines(tmp_path / "small.csv", "emotion,pixels", rows)
    [note] = read(path).findings.notes
    [proposed] = assigned(note)
    assert proposed == "data.image_size_px=24"
    one = read(path, proposed)
    assert not one.findings.notes
    assert one.table is not None
    np.testing.assert_array_equal(one.table.images, small)


def test_synthetic_faces_that_are_named_twice_are_asked_for_in_number() -> None:
    def number(sources: str, num_images: int) -> int:
        settings = [f"data.sources={sources}", f"data.synthetic.num_images={num_images}"]
        config = load_config("demo", settings).data
        return sum(one.table.num_rows for one in read_sources(config, 0) if one.table)

    with pytest.raises(DataError) as caught:
        number("[synthetic, synthetic]", 140)
    assert "name it once and raise data.synthetic.num_images" in caught.value.problems[0]
    assert number("[synthetic]", 280) >= 280


def test_a_picture_without_a_face_is_read_whole_as_proposed(tmp_path: Path) -> None:
    grass = np.full((200, 300), 90, dtype=np.uint8)
    files = {f"{name}/{name}.png": image_bytes(grass) for name in NAMES[:2]}
    path = write_folder(tmp_path / "photos", files)  # type: ignore[arg-type]
    text = problem_of(path, "data.faces=detect")
    assert "data.faces=none" in assigned(text)
    assert labels_of(read(path, "data.faces=none")) == list(NAMES[:2])


def test_colour_is_left_out_of_a_snapshot_to_pack_as_proposed(
    store: ArtifactStore, tmp_path: Path
) -> None:
    for row, name in enumerate(NAMES):
        (tmp_path / "faces" / name).mkdir(parents=True)
        coloured = np.stack([IMAGES[row], IMAGES[row] // 2, IMAGES[row] // 3], axis=-1)
        Image.fromarray(coloured).save(tmp_path / "faces" / name / "a.png")

    def snapshot(*settings: str) -> DatasetSnapshot:
        config = load_config("folder", settings).data
        sources = {"sources": (str(tmp_path / "faces"),)}
        return open_snapshot(store, ingest_sources(store, config.model_copy(update=sources), 0))

    with pytest.raises(DataError) as caught:
        pack_snapshot(store, snapshot("data.channels=3").ref, tmp_path / "faces.pack")
    assert assigned(caught.value.message) == ["data.channels=1"]
    assert pack_snapshot(store, snapshot("data.channels=1").ref, tmp_path / "faces.pack") > 0
