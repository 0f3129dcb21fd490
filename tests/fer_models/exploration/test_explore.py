"""The artifact: complete, reproducible, and valid whatever the snapshot lacks."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_models.errors import StoreError
from fer_models.exploration.explore import explore_snapshot
from fer_models.labels import CLASS_NAMES
from fer_models.progress import Progress, listening
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ExplorationRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.exploration.builders import cleaned_snapshot, plain_snapshot
from tests.fer_models.parsed_page import Page

ALL_PLOTS = [
    "classes",
    "splits",
    "grey_values",
    "images",
    "brightness",
    "mean_faces",
    "samples",
    "quarantine",
    "conflicts",
    "near_copies",
    "label_errors",
    "relabelled",
    "doubtful",
    "ferplus",
]
REAL_DATA = Path(__file__).parents[4] / "shared/data/fer2013_train_public.parquet"


@pytest.fixture(scope="module")
def explored(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[ArtifactStore, ExplorationRef]:
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("explored"))))
    return store, explore_snapshot(store, cleaned_snapshot(store))


@pytest.fixture(scope="module")
def page(explored: tuple[ArtifactStore, ExplorationRef]) -> Page:
    store, exploration = explored
    return Page(store.read_file(exploration, "report.html").decode())


def summary_of(store: ArtifactStore, exploration: ExplorationRef) -> dict[str, Any]:
    summary: dict[str, Any] = store.read_json(exploration, "summary.json")
    return summary


def test_every_figure_is_a_png_file_and_on_the_page(
    explored: tuple[ArtifactStore, ExplorationRef], page: Page
) -> None:
    store, exploration = explored
    files = [f"{name}.png" for name in ALL_PLOTS]
    assert store.info(exploration)["plots"] == files
    for file in files:
        picture = Image.open(io.BytesIO(store.read_file(exploration, file)))
        assert picture.width > 700
        assert not {"Software", "date"} & set(picture.info)
    labels = [attrs["aria-label"] for tag, attrs in page.tags if tag == "svg"]
    assert len(labels) == len(files)


def test_png_files_use_the_light_colours_of_the_page(
    explored: tuple[ArtifactStore, ExplorationRef],
) -> None:
    store, exploration = explored
    picture = Image.open(io.BytesIO(store.read_file(exploration, "classes.png"))).convert("RGB")
    pixels = np.asarray(picture).reshape(-1, 3)
    colours = {tuple(colour) for colour in np.unique(pixels, axis=0)}
    assert {(255, 255, 255), (0x00, 0x72, 0xB2), (0x6B, 0x72, 0x80)} <= colours
    assert min(pixels.sum(axis=1)) > 3 * 16  # the placeholders are nearly black


def test_page_is_well_formed_and_needs_no_network(page: Page) -> None:
    assert page.unbalanced == []
    assert page.open == []
    addresses = [
        attrs[name]
        for _, attrs in page.tags
        for name in ("src", "href", "xlink:href")
        if name in attrs
    ]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {address[1:] for address in addresses if address.startswith("#")} <= set(ids)
    assert "script" not in {tag for tag, _ in page.tags}


def test_charts_take_their_colours_from_the_page(page: Page) -> None:
    styles = " ".join(attrs.get("style", "") for _, attrs in page.tags)
    assert "var(--c0)" in styles
    assert "#0102" not in styles


def test_page_shows_the_findings(page: Page) -> None:
    assert "120 images, 114 kept" in page.visible_text
    assert "Identical images with different labels" in page.visible_text
    assert re.search(r"near duplicate 1 0\.8", page.visible_text)
    for text in (*CLASS_NAMES, "not a face", "tie", "fear", "train: ", "\u2192 neutral"):
        assert text in page.visible_text


def test_numbers_are_in_the_summary(explored: tuple[ArtifactStore, ExplorationRef]) -> None:
    store, exploration = explored
    summary = summary_of(store, exploration)
    counts = {"num_images": 120, "kept": 114, "quarantined": 6, "unlabelled": 0}
    assert summary["images"] == counts
    assert summary["pixels"]["all"]["n"] == 120
    by_class = [summary["pixels"][name]["n"] for name in CLASS_NAMES]
    assert by_class == [row["after"] for row in summary["classes"]]
    for name, counts_256 in summary["histograms"].items():
        assert sum(counts_256) == 2304 * summary["pixels"][name]["n"]
    assert summary["near_copies"] == 1
    assert summary["labels"] == {"relabelled": 1, "errors": 1}
    assert store.info(exploration)["mean"] == summary["pixels"]["all"]["mean"]


def test_the_same_data_give_the_same_artifact_in_another_store(
    explored: tuple[ArtifactStore, ExplorationRef], tmp_path: Path
) -> None:
    store, exploration = explored
    other = ArtifactStore(StoreConfig(url=str(tmp_path / "elsewhere")))
    again = explore_snapshot(other, cleaned_snapshot(other))
    assert again.id == exploration.id
    for name in store.describe(exploration).files:
        assert other.read_file(again, name) == store.read_file(exploration, name), name


def test_exploring_again_renders_nothing(
    explored: tuple[ArtifactStore, ExplorationRef],
) -> None:
    store, exploration = explored
    events: list[Progress] = []
    with listening(events.append):
        assert explore_snapshot(store, cleaned_snapshot(store)) == exploration
    assert events == []


def test_one_image_is_enough_and_progress_is_reported(store: ArtifactStore) -> None:
    snapshot = plain_snapshot(store, [3], ["train"])
    events: list[Progress] = []
    with listening(events.append):
        exploration = explore_snapshot(store, snapshot)
    assert {progress.stage for progress in events} == {"explore"}
    assert [p.amount for p in events if p.unit == "images"] == ["0/1 images", "1/1 images"]
    assert events[-1].done == events[-1].total
    summary = summary_of(store, exploration)
    assert summary["votes"] is None
    assert summary["reasons"] == []
    assert summary["pixels"]["quarantined"] is None
    assert [name for name in CLASS_NAMES if summary["pixels"][name]] == ["happy"]
    page = Page(store.read_file(exploration, "report.html").decode())
    assert "1 image " in page.visible_text
    assert "No image is quarantined" in page.visible_text
    assert "FER+ votes" not in page.visible_text


def test_unlabelled_images_have_no_class_figures(store: ArtifactStore) -> None:
    snapshot = plain_snapshot(store, [-1] * 5, [""] * 5)
    exploration = explore_snapshot(store, snapshot)
    assert store.info(exploration)["plots"] == ["grey_values.png", "images.png"]
    summary = summary_of(store, exploration)
    assert summary["images"]["unlabelled"] == 5
    assert summary["pixels"]["kept"]["n"] == 5


@pytest.fixture(scope="module")
def all_quarantined(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[ArtifactStore, ExplorationRef]:
    """Four black images, all quarantined for a reason that looks like markup."""
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("quarantined"))))
    columns = {"status": "quarantined", "reason": "<script>alert(1)</script> $x$"}
    images = np.zeros((4, 48, 48), dtype=np.uint8)
    snapshot = plain_snapshot(store, [0, 0, 1, -1], ["train"] * 3 + ["test"], columns, images)
    return store, explore_snapshot(store, snapshot)


def test_a_fully_quarantined_snapshot_can_be_explored(
    all_quarantined: tuple[ArtifactStore, ExplorationRef],
) -> None:
    store, exploration = all_quarantined
    assert "quarantine.png" in store.info(exploration)["plots"]
    assert "mean_faces.png" not in store.info(exploration)["plots"]
    summary = summary_of(store, exploration)
    assert summary["reasons"][0]["images"] == 4
    assert summary["pixels"]["kept"] is None


def test_blank_images_have_statistics(
    all_quarantined: tuple[ArtifactStore, ExplorationRef],
) -> None:
    figures = summary_of(*all_quarantined)["pixels"]["all"]
    assert (figures["mean"], figures["std"], figures["min"], figures["max"]) == (0, 0, 0, 0)


def test_markup_in_a_reason_is_escaped(
    all_quarantined: tuple[ArtifactStore, ExplorationRef],
) -> None:
    store, exploration = all_quarantined
    html = store.read_file(exploration, "report.html").decode()
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_an_absent_snapshot_is_named(store: ArtifactStore) -> None:
    absent = store.ref(SnapshotRef, "nowhere")
    with pytest.raises(StoreError, match="nowhere"):
        explore_snapshot(store, absent)


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_DATA.exists(), reason="the real FER2013 images are not available")
def test_statistics_of_the_real_images(store: ArtifactStore) -> None:
    table = pd.read_parquet(REAL_DATA, columns=["emotion", "Usage", "png"]).iloc[::16]
    images = np.stack([np.asarray(Image.open(io.BytesIO(png))) for png in table["png"]])
    splits = table["Usage"].map({"Training": "train", "PublicTest": "validation"})
    snapshot = plain_snapshot(store, table["emotion"].tolist(), splits.tolist(), images=images)
    figures = summary_of(store, explore_snapshot(store, snapshot))["pixels"]["all"]
    flat = images.reshape(len(images), -1)
    assert figures["mean"] == pytest.approx(flat.mean(axis=1).mean(), rel=1e-12)
    assert figures["std"] == pytest.approx(flat.std(axis=1).mean(), rel=1e-12)
    # All 35,887 images have 129.40 and 54.07; these are a sixteenth of nine tenths of them.
    assert figures["mean"] == pytest.approx(129.40, abs=2.0)
    assert figures["std"] == pytest.approx(54.07, abs=1.0)


def test_summary_is_plain_json(explored: tuple[ArtifactStore, ExplorationRef]) -> None:
    store, exploration = explored
    text = store.read_file(exploration, "summary.json").decode()
    assert "NaN" not in text
    assert json.loads(text)["snapshot"] == store.info(exploration)["snapshot_id"]
