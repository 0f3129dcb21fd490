"""The artifact: complete, the same every time, and sound whatever the snapshot lacks."""

import io
import json
import re
from html.parser import HTMLParser
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
VOID = {"meta", "link", "img", "br"}
REAL_DATA = Path(__file__).parents[4] / "shared/data/fer2013_train_public.parquet"


class Page(HTMLParser):
    """Collects tags and words, and notices elements that are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.text: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def explore_setting(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[ArtifactStore, ExplorationRef]:
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("explore_setting"))))
    return store, explore_snapshot(store, cleaned_snapshot(store))


@pytest.fixture(scope="module")
def page(explore_setting: tuple[ArtifactStore, ExplorationRef]) -> Page:
    store, exploration = explore_setting
    return Page(store.read_file(exploration, "report.html").decode())


def summary_of(store: ArtifactStore, exploration: ExplorationRef) -> dict[str, Any]:
    summary: dict[str, Any] = store.read_json(exploration, "summary.json")
    return summary


def test_every_plot_is_a_picture_of_its_own_and_on_the_page(
    explore_setting: tuple[ArtifactStore, ExplorationRef], page: Page
) -> None:
    store, exploration = explore_setting
    files = [f"{name}.png" for name in ALL_PLOTS]
    assert store.info(exploration)["plots"] == files
    for file in files:
        picture = Image.open(io.BytesIO(store.read_file(exploration, file)))
        assert picture.width > 700
        assert not {"Software", "date"} & set(picture.info)
    labels = [attrs["aria-label"] for tag, attrs in page.tags if tag == "svg"]
    assert len(labels) == len(files)


def test_pictures_carry_the_light_colours_of_the_page(
    explore_setting: tuple[ArtifactStore, ExplorationRef],
) -> None:
    store, exploration = explore_setting
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


def test_page_says_what_was_found(page: Page) -> None:
    assert "120 images, 114 kept" in page.words
    assert "Identical images with different labels" in page.words
    assert re.search(r"near duplicate 1 0\.8", page.words)
    for text in (*CLASS_NAMES, "not a face", "tie", "fear", "train: ", "\u2192 neutral"):
        assert text in page.words


def test_figures_are_in_the_summary(explore_setting: tuple[ArtifactStore, ExplorationRef]) -> None:
    store, exploration = explore_setting
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


def test_the_same_data_give_the_same_artifact_anywhere(
    explore_setting: tuple[ArtifactStore, ExplorationRef], tmp_path: Path
) -> None:
    store, exploration = explore_setting
    other = ArtifactStore(StoreConfig(url=str(tmp_path / "elsewhere")))
    again = explore_snapshot(other, cleaned_snapshot(other))
    assert again.id == exploration.id
    for name in store.describe(exploration).files:
        assert other.read_file(again, name) == store.read_file(exploration, name), name


def test_a_second_look_draws_nothing(
    explore_setting: tuple[ArtifactStore, ExplorationRef],
) -> None:
    store, exploration = explore_setting
    heard: list[Progress] = []
    with listening(heard.append):
        assert explore_snapshot(store, cleaned_snapshot(store)) == exploration
    assert heard == []


def test_one_image_of_one_class_is_enough_and_progress_is_told(store: ArtifactStore) -> None:
    snapshot = plain_snapshot(store, [3], ["train"])
    heard: list[Progress] = []
    with listening(heard.append):
        exploration = explore_snapshot(store, snapshot)
    assert {progress.stage for progress in heard} == {"explore"}
    assert [p.amount for p in heard if p.unit == "images"] == ["0/1 images", "1/1 images"]
    assert heard[-1].done == heard[-1].total
    summary = summary_of(store, exploration)
    assert summary["votes"] is None
    assert summary["reasons"] == []
    assert summary["pixels"]["quarantined"] is None
    assert [name for name in CLASS_NAMES if summary["pixels"][name]] == ["happy"]
    page = Page(store.read_file(exploration, "report.html").decode())
    assert "1 image " in page.words
    assert "None is in quarantine" in page.words
    assert "FER+ votes" not in page.words


def test_images_without_labels_are_shown_without_classes(store: ArtifactStore) -> None:
    snapshot = plain_snapshot(store, [-1] * 5, [""] * 5)
    exploration = explore_snapshot(store, snapshot)
    assert store.info(exploration)["plots"] == ["grey_values.png", "images.png"]
    summary = summary_of(store, exploration)
    assert summary["images"]["unlabelled"] == 5
    assert summary["pixels"]["kept"]["n"] == 5


@pytest.fixture(scope="module")
def all_held(tmp_path_factory: pytest.TempPathFactory) -> tuple[ArtifactStore, ExplorationRef]:
    """Four black images, all in quarantine for a reason that looks like markup."""
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("held"))))
    held = {"status": "quarantined", "reason": "<script>alert(1)</script> $x$"}
    images = np.zeros((4, 48, 48), dtype=np.uint8)
    snapshot = plain_snapshot(store, [0, 0, 1, -1], ["train"] * 3 + ["test"], held, images)
    return store, explore_snapshot(store, snapshot)


def test_a_snapshot_that_is_all_in_quarantine_can_be_explored(
    all_held: tuple[ArtifactStore, ExplorationRef],
) -> None:
    store, exploration = all_held
    assert "quarantine.png" in store.info(exploration)["plots"]
    assert "mean_faces.png" not in store.info(exploration)["plots"]
    summary = summary_of(store, exploration)
    assert summary["reasons"][0]["images"] == 4
    assert summary["pixels"]["kept"] is None


def test_blank_images_have_figures(all_held: tuple[ArtifactStore, ExplorationRef]) -> None:
    figures = summary_of(*all_held)["pixels"]["all"]
    assert (figures["mean"], figures["std"], figures["min"], figures["max"]) == (0, 0, 0, 0)


def test_a_reason_cannot_put_markup_on_the_page(
    all_held: tuple[ArtifactStore, ExplorationRef],
) -> None:
    store, exploration = all_held
    html = store.read_file(exploration, "report.html").decode()
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_an_absent_snapshot_is_named(store: ArtifactStore) -> None:
    absent = SnapshotRef(id="nowhere", url=f"{store.url}/datasets/nowhere")
    with pytest.raises(StoreError, match="nowhere"):
        explore_snapshot(store, absent)


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_DATA.exists(), reason="the real FER2013 images are not here")
def test_figures_of_the_real_images(store: ArtifactStore) -> None:
    table = pd.read_parquet(REAL_DATA, columns=["emotion", "Usage", "png"]).iloc[::16]
    images = np.stack([np.asarray(Image.open(io.BytesIO(png))) for png in table["png"]])
    splits = table["Usage"].map({"Training": "train", "PublicTest": "validation"})
    snapshot = plain_snapshot(store, table["emotion"].tolist(), splits.tolist(), images=images)
    figures = summary_of(store, explore_snapshot(store, snapshot))["pixels"]["all"]
    flat = images.reshape(len(images), -1)
    assert figures["mean"] == pytest.approx(flat.mean(axis=1).mean(), rel=1e-12)
    assert figures["std"] == pytest.approx(flat.std(axis=1).mean(), rel=1e-12)
    # of all 35,887 images: 129.40 and 54.07; this is every sixteenth of nine tenths of them
    assert figures["mean"] == pytest.approx(129.40, abs=2.0)
    assert figures["std"] == pytest.approx(54.07, abs=1.0)


def test_summary_is_plain_json(explore_setting: tuple[ArtifactStore, ExplorationRef]) -> None:
    store, exploration = explore_setting
    text = store.read_file(exploration, "summary.json").decode()
    assert "NaN" not in text
    assert json.loads(text)["snapshot"] == store.info(exploration)["snapshot_id"]
